"""Whether a PNG or JPEG file ends before its picture does.

GDAL reads what is there of a truncated PNG and leaves the rest 0, and of a JPEG grey, without an error where
GDAL_ERROR_ON_LIBJPEG_WARNING is NO (GDAL 3.10). So the end is looked for in the file itself.
"""

import os

_PNG_SIGNATURE = 8  # bytes
_AT_ONCE = 2**20  # bytes
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}  # TEM, RST0 to RST7, SOI


def ends_early(descriptor: int, driver: str) -> bool:
    """Whether the file of a descriptor lacks the end of its picture; False for formats other than PNG and JPEG."""
    if driver == "PNG":
        return not _png_has_end(descriptor)
    return driver == "JPEG" and not _jpeg_has_end(descriptor)


def _png_has_end(descriptor: int) -> bool:
    """Goes from chunk to chunk (length, name, data, checksum) to the one called IEND."""
    at, size = _PNG_SIGNATURE, os.fstat(descriptor).st_size
    while at + 12 <= size:
        head = os.pread(descriptor, 8, at)
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at <= size
    return False


def _jpeg_has_end(descriptor: int) -> bool:
    """Goes over the segments before the picture, which may hold a whole small JPEG, and looks for the end after them."""
    at = 2
    while True:
        head = os.pread(descriptor, 4, at)
        if len(head) < 4 or head[0] != 0xFF:
            return False
        if head[1] == 0xFF:  # fill byte
            at += 1
        elif head[1] in _WITHOUT_LENGTH:
            at += 2
        elif head[1] == _START_OF_SCAN:
            return _holds(descriptor, _END_OF_IMAGE, at)
        else:
            at += 2 + max(2, int.from_bytes(head[2:], "big"))


def _holds(descriptor: int, wanted: bytes, at: int) -> bool:
    """Whether bytes stand in a file from a place on. In a JPEG's data 0xff is never followed by 0xd9 but at the end."""
    before = b""
    while part := os.pread(descriptor, _AT_ONCE, at):
        if wanted in before + part:
            return True
        before, at = part[-1:], at + len(part)
    return False
