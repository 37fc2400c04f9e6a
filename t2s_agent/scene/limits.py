"""Defines the limits for files from untrusted sources."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that are checked before and during a read; above them `limit_exceeded` is raised and reading stops."""

    side: int = 400_000  # px: larger than any usual orthomosaic
    pixels: int = 50_000 * 50_000
    whole_pixels: int = 100_000_000  # of formats without blocks (PNG, JPEG, WebP), which are decoded as a whole
    bands: int = 1024  # hyperspectral cubes have a few hundred
    block_bytes: int = 200 * 2**20  # of one decoded block of image, overviews and masks: GDAL decodes at least one
    piece_bytes: int = 32 * 2**20  # read between two checks of the time limit, unless one block is larger
    read_bytes: int = 2 * 2**30  # decoded by one read, after the choice of an overview
    seconds: float = 60.0  # of one read
