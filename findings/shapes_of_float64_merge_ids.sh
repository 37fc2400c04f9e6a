#!/bin/sh
# rasterio.features.shapes makes one polygon of several regions whose ids differ.
#
# One would guess: regions of different values are different polygons; float64 is in the list of types that are taken.
# What happens: float64 is computed as float32. Ids from 16,777,217 (2^24 + 1) on are rounded before regions are told apart, so
#   that four neighbours become one polygon, with a value that none of them has. int32 keeps them apart. (The documentation
#   says that values may not match exactly; it does not say that regions merge.)
# Versions: rasterio 1.4.4 with GDAL 3.10.3.
# Why it matters: parcels and buildings have such numbers as ids, and rasters of them are float64 where they came through NumPy
#   or pandas with missing values. uint32 and int64, which would hold them, are refused.
# Where t2s-agent handles it: t2s_agent/regions/polygons.py traces labels as int32 only.
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
from rasterio.features import shapes

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
ids = [[16_777_217, 16_777_219], [16_777_220, 16_777_221]]
found = {}
for dtype in ("int32", "float64"):
    found[dtype] = sorted(value for _, value in shapes(np.array(ids, dtype)))
    print(f"{dtype}: ids {sorted(sum(ids, []))} become {len(found[dtype])} polygons with {found[dtype]}")
refused = []
for dtype in ("uint32", "int64"):
    try:
        list(shapes(np.array(ids, dtype)))
    except (ValueError, TypeError) as error:
        refused.append(dtype)
        print(f"{dtype}: {error}")
as_found = len(found["int32"]) == 4 and len(found["float64"]) < 4 and refused == ["uint32", "int64"]
sys.exit(0 if as_found else "the behaviour has changed")
PY
