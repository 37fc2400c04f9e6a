#!/bin/sh
# A PROJ_DATA of another installation turns Web Mercator into a local system, and files open all the same.
#
# One would guess: a wheel that brings its own PROJ uses its own data, or says that what it got does not fit.
# What happens: with PROJ_DATA (or PROJ_LIB) naming a proj.db of another version, as conda, QGIS and OSGeo4W set it for all programs,
#   rasterio opens the file without an error. UTM files keep their system, since GDAL can build it from the file's numbers;
#   EPSG:3857 and EPSG:2154 (Lambert-93) become a LOCAL_CS of the same name, neither projected nor geographic. The reason is
#   printed by GDAL on standard error only.
# Versions: rasterio 1.4.4 with GDAL 3.10.3 and PROJ 9. The other proj.db is the wheel's own with an older layout number.
# Why it matters: half of a folder of images loses its place on Earth depending on which shell the program was started from.
# Where t2s-agent handles it: t2s_agent/scene/proj_data.py takes these variables out of its own process and points rasterio and
#   pyproj to the data that came with them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PROJ_DATA PROJ_LIB GDAL_DATA || true
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "rasterio==1.4.4" "numpy==2.2.6"
cat > look.py <<'PY'
import sys
import rasterio
from affine import Affine

for code in (32631, 4326, 3857, 2154):
    if sys.argv[1] == "write":
        place = {"crs": f"EPSG:{code}", "transform": Affine(2, 0, 0, 0, -2, 0)}
        rasterio.open(f"{code}.tif", "w", driver="GTiff", width=8, height=8, count=1, dtype="uint8", **place).close()
        continue
    with rasterio.open(f"{code}.tif") as file:
        kind = "projected" if file.crs.is_projected else "geographic" if file.crs.is_geographic else "neither"
        print(code, kind, file.crs.to_wkt()[:40])
PY
cat > age.py <<'PY'
import shutil
import sqlite3
from pathlib import Path
import rasterio

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
Path("other").mkdir()
shutil.copy(Path(rasterio.__file__).parent / "proj_data" / "proj.db", "other/proj.db")
with sqlite3.connect("other/proj.db") as base:
    base.execute("update metadata set value = '1' where key = 'DATABASE.LAYOUT.VERSION.MINOR'")
PY
venv/bin/python -W ignore look.py write
venv/bin/python -W ignore age.py
echo "with its own data:"
venv/bin/python -W ignore look.py read | tee own.txt
echo "with PROJ_DATA of another installation:"
PROJ_DATA="$folder/other" venv/bin/python -W ignore look.py read 2> said.txt | tee other.txt
sort -u said.txt | head -1 | cut -c1-200
[ "$(cut -d' ' -f1,2 own.txt | tr '\n' ' ')" = "32631 projected 4326 geographic 3857 projected 2154 projected " ] &&
    [ "$(cut -d' ' -f1,2 other.txt | tr '\n' ' ')" = "32631 projected 4326 geographic 3857 neither 2154 neither " ] ||
    { echo "the behaviour has changed"; exit 1; }
