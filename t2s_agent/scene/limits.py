"""How much of a stranger's file we are ready to read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds checked before and while reading; beyond them `limit_exceeded` is raised and nothing more is read."""

    side: int = 400_000  # px: the largest orthomosaics in use stay below
    pixels: int = 50_000 * 50_000
    whole_pixels: int = 100_000_000  # of kinds without blocks (PNG, JPEG, WebP), which are decoded as a whole
    bands: int = 1024  # hyperspectral cubes have a few hundred
    block_bytes: int = 200 * 2**20  # of one decoded block, of image, overviews and masks: one read cannot take less
    piece_bytes: int = 32 * 2**20  # read between two looks at the clock, unless one block is larger
    read_bytes: int = 2 * 2**30  # that one read decodes, after choosing an overview
    seconds: float = 60.0  # of one read
