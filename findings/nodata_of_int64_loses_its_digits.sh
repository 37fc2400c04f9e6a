#!/bin/sh
# A large nodata value of 64-bit integers is written by rasterio so that GDAL reads only its first digit.
#
# One would guess: a file written with nodata=-9223372036854775808, the lowest int64, has that nodata value when it is opened again.
# What happens: while the file is being written `nodata` is right. Opened again it is -9. From 1e17 on, the tag holds the value as a
#   float, "-9.2233720368547758e+18", and GDAL, which reads the tags of 64-bit integers as whole numbers, stops at the point. Then the
#   empty pixels are valid, and valid pixels of -9 (of 1 for nodata=10**18) are masked. No error, no warning. Copying a good file with
#   its `profile` does it too. The COG driver drops the value altogether.
# Versions: rasterio 1.4.4 with GDAL 3.10.3.
# Why it matters: ids of parcels and of tracked objects, and counts of seconds, are int64, and the lowest value is the usual mark for
#   "none" there (NaT of NumPy is the same number). Object 1 or 9 disappears from masks and areas, and the background is an object.
# Where t2s-agent handles it: t2s_agent/scene/remarks.py names a value that fills much of a band and is not declared, and gives the
#   command of GDAL that declares it; masks have at most 32 bits and nodata 0 (t2s_agent/regions/raster.py).
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
import rasterio.shutil

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)


def seen(path):
    """The nodata value, and the values that are masked."""
    with rasterio.open(path) as file:
        return file.nodata, np.unique(file.read(1)[file.read_masks(1) == 0]).tolist()


def written(path, pixels, **profile):
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "int64"} | profile
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels, 1)
        while_writing = file.nodata
    print(f"{profile['driver']} {pixels.dtype}, nodata {profile['nodata']}: while writing {while_writing}, opened (nodata, masked) {seen(path)}")
    return seen(path)


lowest = -(2**63)
ids = np.arange(-31, 33).reshape(8, 8)  # -31 to 32; the first row becomes empty
found = []
for dtype, nodata in (("int64", -(10**16)), ("int64", lowest), ("int64", 10**18), ("uint64", 2**63)):
    pixels = np.abs(ids).astype(dtype) if dtype == "uint64" else ids.copy()
    pixels[0] = nodata
    found.append(written("a.tif", pixels, dtype=dtype, nodata=nodata))
expected = [(-1e16, [-(10**16)]), (-9, [-9]), (1, [1]), (9, [9])]

empty = ids.copy()
empty[0] = lowest
found.append(written("cog.tif", empty, driver="COG", nodata=lowest))
expected.append((None, []))

with rasterio.open("plain.tif", "w", driver="GTiff", width=8, height=8, count=1, dtype="int64") as file:
    file.write(empty, 1)
with open("good.vrt", "w") as file:  # GDAL itself writes the value well
    file.write(
        f'<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Int64" band="1"><NoDataValue>{lowest}</NoDataValue>'
        '<SimpleSource><SourceFilename relativeToVRT="1">plain.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
rasterio.shutil.copy("good.vrt", "good.tif", driver="GTiff")
print("written by GDAL:", seen("good.tif"))
with rasterio.open("good.tif") as file:
    found += [seen("good.tif"), written("copy.tif", file.read(1), **file.profile)]
expected += [(float(lowest), [lowest]), (-9, [-9])]
sys.exit(0 if found == expected else "the behaviour has changed")
PY
