#!/bin/sh
# Control points on both sides of 180 degrees put the image between them, on the other side of the Earth.
#
# One would guess: ground control points in longitude and latitude know that 179.99 and -179.99 are neighbours; GDAL's warper does
#   since 3.8.
# What happens: rasterio.transform.GCPTransformer lays its curve through the bare numbers. An image of 3 km at Fiji comes to lie
#   around 87 degrees west, in the Pacific off Peru, and a pixel in the middle measures more than 100 times its width.
# Versions: rasterio 1.4.4 with GDAL 3.10.3.
# Why it matters: scenes of Sentinel-1 and many drone and aircraft pictures come with control points in degrees; over Fiji, Chukotka
#   or the Aleutians every position and area is wrong, without an error.
# Where t2s-agent handles it: `placed` in t2s_agent/scene/georeference.py lets longitudes run on across 180 (179.99, 180.01) first,
#   and a warning says by how many pixels the curve misses its points.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PROJ_DATA PROJ_LIB GDAL_DATA || true
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "rasterio==1.4.4" "numpy==2.2.6"
venv/bin/python -W ignore - <<'PY'
import sys
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.transform import GCPTransformer

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
middles = {}
for west in (177.99, 179.99):
    points = [
        GroundControlPoint(row, column, (west + column * 1e-4 + 180) % 360 - 180, -16 - row * 1e-4)
        for row in (0, 64, 128)
        for column in (0, 64, 128, 192, 256)
    ]
    with GCPTransformer(points) as transformer:
        left, middle, right = (float(transformer.xy(64, column, offset="ul")[0]) for column in (127, 128, 129))
    middles[west] = middle, (right - left) / 2e-4
    print(f"left edge at {west}: middle at {middle:.4f}, expected {(west + 0.0128 + 180) % 360 - 180:.4f}; a pixel is {middles[west][1]:.1f} times as wide")
(beside, beside_width), (across, across_width) = middles[177.99], middles[179.99]
as_found = abs(beside - 178.0028) < 1e-6 and abs(beside_width - 1) < 1e-3 and abs(across + 179.9972) > 50 and abs(across_width) > 100
sys.exit(0 if as_found else "the behaviour has changed")
PY
