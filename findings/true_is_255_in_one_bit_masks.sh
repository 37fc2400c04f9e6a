#!/bin/sh
# A 1-bit mask that was read with Pillow has a True of 255, and SciPy and scikit-image compute with it.
#
# One would guess: np.asarray(Image.open("mask.png")) of a 1-bit file is an array of booleans like any other.
# What happens: its bytes are 0 and 255, where those of every other boolean array are 0 and 1. NumPy and PyTorch never show it: sums,
#   comparisons and conversions are right, and array_equal says that the mask is equal to a mask of ones. But SciPy and scikit-image
#   read the bytes: a blur of the mask peaks at 255, a count of neighbours says 2,040 of 8, a mask turned by 30 degrees has 2.6 times
#   as many pixels as the equal one, and thin() leaves a skeleton that is too thick. view("uint8") and hashes of the bytes differ too.
# Versions: Pillow 13.0.0, NumPy 2.2.6, SciPy 1.17.1, scikit-image 0.26.0. The same with the bit depth 1 in PNG, TIFF and BMP.
# Why it matters: masks are often stored with one bit. Soft edges, centre lines of roads, and masks that are turned for augmentation are
#   wrong for such files alone, and a test that compares the two masks finds them equal.
# Where t2s-agent handles it: evals/datasets/files.py gives 1-bit masks the values 0 and 1 by np.where when it reads them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "pillow==13.0.0" "numpy==2.2.6" "scipy==1.17.1" "scikit-image==0.26.0"
venv/bin/python -W ignore - <<'PY'
import sys

import numpy as np
import PIL
import scipy
import skimage
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage.morphology import thin

print("Pillow", PIL.__version__, "NumPy", np.__version__, "SciPy", scipy.__version__, "scikit-image", skimage.__version__)
drawn = Image.new("1", (120, 100))
pen = ImageDraw.Draw(drawn)
pen.rectangle((20, 20, 79, 79), fill=1)
pen.line((5, 90, 110, 95), fill=1, width=5)
around = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
measures = {
    "pixels": lambda mask: int(mask.sum()),
    "highest value as uint8, by astype": lambda mask: int(mask.astype("uint8").max()),
    "highest value as uint8, by view": lambda mask: int(mask.view("uint8").max()),
    "peak of a blur": lambda mask: round(float(ndimage.gaussian_filter(mask, 2, output=float).max()), 3),
    "most neighbours": lambda mask: int(ndimage.convolve(mask, around, output=int).max()),
    "pixels, turned by 30 degrees": lambda mask: int(ndimage.rotate(mask, 30).sum()),
    "pixels, turned by 30 degrees, order 0": lambda mask: int(ndimage.rotate(mask, 30, order=0).sum()),
    "pixels after thin()": lambda mask: int(thin(mask).sum()),
}
as_found = True
for ending in ("png", "tif", "bmp"):
    drawn.save(f"mask.{ending}")
    mask = np.asarray(Image.open(f"mask.{ending}"))
    clean = np.where(mask, True, False)
    print(f"mask.{ending}: {mask.dtype}, array_equal to the clean mask: {np.array_equal(mask, clean)}; as read and clean:")
    seen = {name: (measure(mask), measure(clean)) for name, measure in measures.items()}
    for name, (read, right) in seen.items():
        print(f"  {name}: {read} and {right}")
    differ = {name for name, (read, right) in seen.items() if read != right}
    as_found &= mask.dtype == bool and np.array_equal(mask, clean) and differ == set(measures) - {
        "pixels", "highest value as uint8, by astype", "pixels, turned by 30 degrees, order 0"
    }
sys.exit(0 if as_found else "the behaviour has changed")
PY
