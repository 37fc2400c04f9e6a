#!/bin/sh
# A tag whose name has a colon, as all of STAC's extensions have, comes back under another name.
#
# One would guess: file.update_tags(**{"s2:processing_baseline": "05.09"}) is read again as tags()["s2:processing_baseline"].
# What happens: GDAL keeps tags as NAME=VALUE and also takes NAME:VALUE, whichever sign comes first: the name is `s2` and the value
#   `processing_baseline=05.09`. Two such tags overwrite each other, so only the last one is left.
# Versions: rasterio 1.4.4 with GDAL 3.10.3.
# Why it matters: the baseline says whether Sentinel-2's values have an offset of -1,000; without it, reflectances and indices are wrong.
# Where t2s-agent handles it: t2s_agent/scene/scaling.py puts such names together again; tests/scene/test_scaling.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PROJ_DATA PROJ_LIB GDAL_DATA || true
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "rasterio==1.4.4" "numpy==2.2.6"
venv/bin/python -W ignore - <<'PY'
import sys
import numpy as np
import rasterio

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
given = {"s2:processing_baseline": "05.09", "s2:tile": "31UFT", "platform": "sentinel-2a"}
with rasterio.open("a.tif", "w", driver="GTiff", width=8, height=8, count=1, dtype="uint16") as file:
    file.write(np.ones((1, 8, 8), "uint16"))
    file.update_tags(**given)
with rasterio.open("a.tif") as file:
    found = {name: value for name, value in file.tags().items() if name != "AREA_OR_POINT"}
print("written", given)
print("read   ", found)
sys.exit(0 if found == {"s2": "tile=31UFT", "platform": "sentinel-2a"} else "the behaviour has changed")
PY
