#!/bin/sh
# Overviews "by mode" of a mask whose background is nodata make every object larger.
#
# One would guess: mode takes the commonest of the four pixels below an overview pixel, so areas stay about right.
# What happens: pixels of the nodata value have no vote. One labelled pixel of four is enough, and every object grows by half a
#   pixel of the overview all around: discs of 5 pixels' radius gain 27 % of their area, of 20 pixels' radius 6 %. Without a
#   nodata value the same pixels lose 0 to 2 %. `nearest` is right in both.
# Versions: rasterio 1.4.4 with GDAL 3.10.3 (its COG driver; gdaladdo and build_overviews do the same).
# Why it matters: masks of objects are written with nodata = 0 so that maps show them transparent, and whoever opens a large one
#   at half size, or counts pixels of a decimated read, gets areas that are too large, without a word.
# Where t2s-agent handles it: t2s_agent/regions/raster.py writes the overviews of mask.tif by `nearest`, and no measure is ever
#   taken from an overview of a mask.
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
rng = np.random.default_rng(0)
y, x = np.mgrid[:512, :512]
seen = {}
for radius in (5, 20):
    mask = np.zeros((512, 512), "uint16")
    step = 4 * radius + 8
    for number, (cy, cx) in enumerate((a, b) for a in range(step, 512 - step, step) for b in range(step, 512 - step, step)):
        dy, dx = rng.uniform(-2, 2, 2)
        mask[(y - cy - dy) ** 2 + (x - cx - dx) ** 2 <= radius**2] = number + 1
    for how in ("mode", "nearest"):
        for nodata in (0, None):
            with rasterio.open("plain.tif", "w", driver="GTiff", width=512, height=512, count=1, dtype="uint16", nodata=nodata) as file:
                file.write(mask, 1)
            rasterio.shutil.copy("plain.tif", "cog.tif", driver="COG", blocksize=256, overview_resampling=how)
            with rasterio.open("cog.tif") as file:
                half = file.read(1, out_shape=(256, 256))
            seen[radius, how, nodata] = 4 * np.count_nonzero(half) / np.count_nonzero(mask) - 1
            print(f"radius {radius:2} px, {how:7}, nodata {nodata}: area in the overview {seen[radius, how, nodata]:+.1%}")
as_found = seen[5, "mode", 0] > 0.2 and seen[20, "mode", 0] > 0.05 and all(
    abs(off) < 0.03 for (_, how, nodata), off in seen.items() if (how, nodata) != ("mode", 0)
)
sys.exit(0 if as_found else "the behaviour has changed")
PY
