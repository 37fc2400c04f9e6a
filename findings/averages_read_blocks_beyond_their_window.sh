#!/bin/sh
# An average over a window that ends exactly at a block's edge also reads the blocks beyond it, which have no part in the result.
#
# One would guess: 512 x 512 px of blocks of 256 px, read as 128 x 128 averages of 4 x 4 px, need four blocks.
# What happens: GDAL reads nine, one row and one column of blocks more, for average as for bilinear and cubic. The averages are
#   exactly those of the four blocks: the others change nothing. Without a change of size, and with nearest, it reads four.
# Versions: rasterio 1.4.4 with GDAL 3.10.3.
# Why it matters: a map of tiles is read so, aligned with the blocks of a cloud-optimised GeoTIFF; over a network each tile
#   costs up to 2.25 times the bytes, and whoever fetches the needed blocks beforehand has to fetch these too.
# Where t2s-agent handles it: t2s_agent/scene/remote/plan.py fetches the blocks that GDAL will ask for, in joined ranges.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PROJ_DATA PROJ_LIB GDAL_DATA || true
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "rasterio==1.4.4" "numpy==2.2.6"
venv/bin/python -W ignore - <<'PY'
import io
import struct
import sys

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
SIDE, BLOCK = 1024, 256
pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
with rasterio.open("a.tif", "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype="uint8", tiled=True, blockxsize=BLOCK, blockysize=BLOCK) as file:
    file.write(pixels, 1)

with open("a.tif", "rb") as file:
    content = file.read()
(directory,) = struct.unpack_from("<I", content, 4)
(entries,) = struct.unpack_from("<H", content, directory)
for entry in range(entries):
    tag, _, count, value = struct.unpack_from("<HHII", content, directory + 2 + 12 * entry)
    if tag == 324:  # TileOffsets
        offsets = struct.unpack_from(f"<{count}I", content, value)

reads = []


class Watched(io.FileIO):
    def read(self, size=-1):
        reads.append((self.tell(), size))
        return super().read(size)


def blocks_read(resampling, side):
    reads.clear()
    with rasterio.open("a.tif", opener=lambda path, mode="rb": Watched(path, "r")) as file:
        values = file.read(1, window=Window(0, 0, 512, 512), out_shape=(side, side), resampling=resampling)
    found = {n for n, start in enumerate(offsets) for at, size in reads if at < start + BLOCK * BLOCK and at + size > start}
    return len(found), values


seen = {}
for name, side in (("nearest", 128), ("average", 128), ("bilinear", 128), ("cubic", 128), ("average", 512)):
    seen[name, side], values = blocks_read(Resampling[name], side)
    print(f"512 x 512 px read as {side} x {side} by {name}: {seen[name, side]} blocks of 4")
    if (name, side) == ("average", 128):
        means = pixels[:512, :512].reshape(128, 4, 128, 4).mean((1, 3))
        exact = bool((np.abs(values - means) <= 0.5).all())
        print("each average is that of its own 4 x 4 px:", exact)
expected = {("nearest", 128): 4, ("average", 128): 9, ("bilinear", 128): 9, ("cubic", 128): 9, ("average", 512): 4}
sys.exit(0 if seen == expected and exact else "the behaviour has changed")
PY
