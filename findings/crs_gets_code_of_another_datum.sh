#!/bin/sh
# rasterio names a CRS by the code of a system with another datum.
#
# One would guess: CRS.to_string() and to_epsg() give a code only where it means the same system.
# What happens: codes are given from 70 of 100 points of likeness on, and a datum that is unknown costs less than 30. A UTM grid
#   "on the International 1924 ellipsoid" becomes EPSG:23031 (ED50), a Gauss-Krueger grid on Bessel's becomes EPSG:5683 (DB_REF).
#   Whoever makes a CRS of that code again puts the same pixels elsewhere: 131 m and 144 m in this example.
# Versions: rasterio 1.4.4 (GDAL 3.10.3), pyproj 3.7.2.
# Why it matters: older national maps and scanned aerial photographs have such systems; programs write to_string() into records,
#   catalogues and STAC items, and read it back.
# Where t2s-agent handles it: Georeference.crs_name (t2s_agent/scene/georeference.py) gives a code from 90 points on, or WKT; a
#   warning says where nothing relates an image's datum to WGS 84.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PROJ_DATA PROJ_LIB GDAL_DATA || true
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "rasterio==1.4.4" "numpy==2.2.6" "pyproj==3.7.2"
venv/bin/python -W ignore - <<'PY'
import sys
import pyproj
import rasterio
from rasterio.crs import CRS

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__, "pyproj", pyproj.__version__)
as_found = True
for definition, place in (
    ("+proj=utm +zone=31 +ellps=intl", (500_000, 5_700_000)),
    ("+proj=tmerc +lon_0=9 +x_0=3500000 +ellps=bessel", (3_500_000, 5_500_000)),
):
    crs = CRS.from_string(definition)
    named = crs.to_string()
    by_itself = pyproj.Transformer.from_crs(crs.to_wkt(), 4326, always_xy=True).transform(*place)
    by_name = pyproj.Transformer.from_crs(named, 4326, always_xy=True).transform(*place)
    apart = pyproj.Geod(ellps="WGS84").inv(*by_itself, *by_name)[2]
    print(f"{definition}\n  to_string: {named}, at 90 points: {crs.to_epsg(confidence_threshold=90)}, {apart:.0f} m apart")
    as_found &= named.startswith("EPSG:") and apart > 50 and crs.to_epsg(confidence_threshold=90) is None
sys.exit(0 if as_found else "the behaviour has changed")
PY
