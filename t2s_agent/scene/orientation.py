"""Reads the orientation tag of a file, with which viewers rotate or mirror its picture; GDAL ignores it.

Values 1 to 8 as in TIFF 6.0 and Exif 2.3, tag 274. PNG stores Exif in the chunk eXIf (PNG 1.5 extensions), WebP in the chunk EXIF
(RFC 9649).
"""

import os
import struct
from collections.abc import Mapping

from t2s_agent.scene.tiff import first_orientation

_MOST_CHUNKS = 1000
_UPRIGHT = 1


def orientation_of(descriptor: int, driver: str, tags: Mapping[str, str]) -> int:
    """The orientation of a file, 1 where it has none. `driver` and `tags` are GDAL's."""
    if driver == "GTiff":
        return first_orientation(descriptor)
    if driver == "JPEG":
        value = tags.get("EXIF_Orientation", "").strip()
        return int(value) if value.isdecimal() else _UPRIGHT
    start = {"PNG": _exif_of_png, "WEBP": _exif_of_webp}.get(driver, lambda _: 0)(descriptor)
    return first_orientation(descriptor, start) if start else _UPRIGHT


def _exif_of_png(descriptor: int) -> int:
    """The offset of Exif in a PNG file, 0 where there is none."""
    at = 8
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, 8, at)
        if len(head) < 8 or head[4:] == b"IEND":
            break
        if head[4:] == b"eXIf":
            return at + 8
        at += 12 + int(struct.unpack(">I", head[:4])[0])
    return 0


def _exif_of_webp(descriptor: int) -> int:
    """The offset of Exif in a WebP file, 0 where there is none. Some writers put the six-byte Exif header of JPEG before it."""
    at = 12
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, 14, at)
        if len(head) < 8:
            break
        if head[:4] == b"EXIF":
            return at + (14 if head[8:] == b"Exif\0\0" else 8)
        size = int(struct.unpack("<I", head[4:8])[0])
        at += 8 + size + size % 2
    return 0
