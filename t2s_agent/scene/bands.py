"""Which bands are shown as red, green and blue, and which are red and near infrared."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from t2s_agent.errors import T2SError


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scene; `index` counts from 1, `colour` is GDAL's interpretation in lower case."""

    index: int
    description: str
    colour: str
    dtype: str


_WORDS = {
    "red": ("red", "b4_red", "red_band"),
    "green": ("green",),
    "blue": ("blue",),
    "nir": ("nir", "near infrared", "near_infrared", "nir1", "near-infrared"),
}


def band_of(index: int, description: str, colour: str, dtype: str) -> Band:
    """A band as it is meant: a fourth band that is described as light is not alpha, which many writers call it unasked."""
    band = Band(index, description, colour, dtype)
    if colour == "alpha" and any(_described([band], name) for name in _WORDS):
        return replace(band, colour="undefined")
    return band


def choose_bands(bands: Sequence[Band], wanted: str | Sequence[int] | None = None) -> tuple[int, int, int]:
    """The bands shown as red, green and blue: those `wanted`, else by colour, else by description, else the first.

    `wanted` is "4,3,2" or three numbers counted from 1 (one number is shown grey). Raises `bands_unknown`.
    """
    if wanted:
        return _asked(bands, wanted)
    by_colour = [next((b.index for b in bands if b.colour == name), 0) for name in ("red", "green", "blue")]
    if all(by_colour):
        return by_colour[0], by_colour[1], by_colour[2]
    described = [_described(bands, name) for name in ("red", "green", "blue")]
    if all(described):
        return described[0], described[1], described[2]
    shown = [band.index for band in bands if band.colour != "alpha"] or [bands[0].index]
    if len(shown) >= 3:
        return shown[0], shown[1], shown[2]
    return (shown[0],) * 3


def unnamed(bands: Sequence[Band]) -> bool:
    """Whether a scene has more than three bands and does not say which of them are red, green and blue."""
    names = ("red", "green", "blue")
    by_colour = all(any(band.colour == name for band in bands) for name in names)
    light = [band for band in bands if band.colour != "alpha"]
    return len(light) > 3 and not by_colour and not all(_described(bands, name) for name in names)


def red_and_nir(bands: Sequence[Band]) -> tuple[int, int] | None:
    """The bands of red and near infrared, where the file itself says which they are."""
    red = next((b.index for b in bands if b.colour == "red"), 0) or _described(bands, "red")
    nir = next((b.index for b in bands if b.colour in ("nir", "near infrared")), 0) or _described(bands, "nir")
    return (red, nir) if red and nir else None


def _described(bands: Sequence[Band], name: str) -> int:
    def says(band: Band) -> bool:
        text = band.description.lower().strip()
        return text in _WORDS[name] or bool(re.fullmatch(rf".*\b{name}\b(?! ?edge).*", text))

    return next((band.index for band in bands if says(band)), 0)


def _asked(bands: Sequence[Band], wanted: str | Sequence[int]) -> tuple[int, int, int]:
    parts = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    valid = {band.index for band in bands}
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3) or not set(numbers) <= valid:
        raise T2SError(
            "bands_unknown",
            f"bands {','.join(map(str, parts))!r} of an image with bands 1 to {len(bands)}",
            "Give three numbers for red, green and blue, such as 4,3,2, or one to be shown grey",
        )
    return (numbers[0],) * 3 if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])
