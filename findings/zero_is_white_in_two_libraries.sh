#!/bin/sh
# One grey TIFF in which 0 means white: rasterio and Pillow give opposite pixels.
#
# One would guess: libraries decode the photometric interpretation of a TIFF, as they do for YCbCr and CMYK, or leave it alone, alike.
# What happens: Pillow inverts on reading. rasterio gives the stored numbers, calls the band "undefined" and not "grey", and has
#   a table of colours for it all the same (0 is white), which is not applied. The only hint is MINISWHITE=YES in the metadata
#   domain IMAGE_STRUCTURE. With one bit the same file has the interpretation "palette", and 8 bits do not.
# Versions: rasterio 1.4.4 (GDAL 3.10.3), Pillow 11.3.0.
# Why it matters: scanned aerial photographs and maps are often stored so. A model gets a negative from one library and a positive
#   from the other; trained with one and used with the other, it finds shadows for roofs.
# Where t2s-agent handles it: Scene (t2s_agent/scene/scene.py) shows a single such band as it is meant; measured values stay as stored.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PROJ_DATA PROJ_LIB GDAL_DATA || true
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "rasterio==1.4.4" "numpy==2.2.6" "pillow==11.3.0"
venv/bin/python -W ignore - <<'PY'
import sys
import numpy as np
import PIL
import rasterio
from PIL import Image

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__, "Pillow", PIL.__version__)
seen = []
for bits in (8, 1):
    stored = np.tile(np.array([0, 2**bits - 1], np.uint8), (8, 4))
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint8", "photometric": "MINISWHITE", "nbits": bits}
    with rasterio.open("a.tif", "w", **profile) as file:
        file.write(stored, 1)
    with rasterio.open("a.tif") as file:
        by_rasterio = file.read(1)[0, :2].tolist()
        kind, table = file.colorinterp[0].name, file.colormap(1)
        hint = file.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE")
    by_pillow = np.asarray(Image.open("a.tif").convert("L"))[0, :2].tolist()
    print(f"{bits} bits: rasterio {by_rasterio} ({kind}, MINISWHITE={hint}, colour of 0: {table[0][:3]}), Pillow {by_pillow}")
    seen.append((by_rasterio, kind, table[0][0], by_pillow))
expected = [([0, 255], "undefined", 255, [255, 0]), ([0, 1], "palette", 255, [255, 0])]
sys.exit(0 if seen == expected else "the behaviour has changed")
PY
