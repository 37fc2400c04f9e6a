#!/bin/sh
# An alpha band masks, or does not, depending on which band it is, of what type, and beside what.
#
# One would guess: a band that the file calls alpha says where there is data, in dataset_mask() and in masked reads.
# What happens: only as the second of two or the fourth of four bands, and only of whole numbers. RGB + NIR + alpha, and RGBA of
#   floats, are "all valid": transparent pixels count as data. An RGBA file that has a nodata value too has the mask of the nodata
#   value only; read_masks(1) and dataset_mask() then disagree.
# Versions: rasterio 1.4.4 with GDAL 3.10.3.
# Why it matters: orthophotos of drones have five or six bands with alpha last, and a slanted collar; half of such a file is
#   nothing, and areas, shares and statistics take it for ground.
# Where t2s-agent handles it: t2s_agent/scene/masks.py reads alpha as a band and nodata as values; a pixel must pass all of them.
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
from rasterio.enums import ColorInterp as C

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
seen = []
for name, count, dtype, opaque, nodata in (
    ("RGBA, 8 bits", 4, "uint8", 255, None),
    ("RGB + NIR + alpha, 8 bits", 5, "uint8", 255, None),
    ("RGB + NIR + red edge + alpha, 16 bits", 6, "uint16", 65535, None),
    ("RGBA, floats", 4, "float32", 1, None),
    ("RGBA, 8 bits, nodata 0", 4, "uint8", 255, 0),
):
    pixels = np.full((count, 64, 64), 90, dtype)
    pixels[-1] = 0
    pixels[-1, :, 32:] = opaque  # the right half is visible
    with rasterio.open("a.tif", "w", driver="GTiff", width=64, height=64, count=count, dtype=dtype, nodata=nodata) as file:
        file.colorinterp = [C.red, C.green, C.blue, *[C.undefined] * (count - 4), C.alpha]
        file.write(pixels)
    with rasterio.open("a.tif") as file:
        shares = float((file.dataset_mask() > 0).mean()), float((file.read_masks(1) > 0).mean())
        print(f"{name}: last band {file.colorinterp[-1].name}, valid by dataset_mask {shares[0]:.0%}, by read_masks(1) {shares[1]:.0%}")
    seen.append(shares)
sys.exit(0 if seen == [(0.5, 0.5), (1, 1), (1, 1), (1, 1), (0.5, 1)] else "the behaviour has changed")
PY
