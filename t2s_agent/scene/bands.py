"""Chooses the bands that are shown as red, green and blue, and finds the red and near infrared bands."""

from collections.abc import Sequence
from dataclasses import dataclass

from t2s_agent.errors import T2SError
from t2s_agent.scene.spectral import (
    SpectralBand,
    from_codes,
    from_wavelength,
    from_words,
    wavelength_in,
    wavelengths_without_unit,
)

_RGB = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scene.

    `index` counts from 1; `colour` is GDAL's colour interpretation in lower case; `wavelength_nm` is the central wavelength
    if a tag gives it; the value of a pixel is `stored * scale + offset`; `common` is its STAC common name or its
    polarisation, empty where that is unknown. `fill` is a stored value without data that the sensor has and the file does not declare.
    """

    index: int
    description: str
    colour: str
    dtype: str
    wavelength_nm: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    common: str = ""
    fill: float | None = None

    @property
    def scaled(self) -> bool:
        """Whether stored values need scale and offset to become values."""
        return (self.scale, self.offset) != (1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Colours:
    """The bands (counted from 1) that hold each colour, 0 where none does; `remarks` are warnings about doubtful choices."""

    red: int = 0
    green: int = 0
    blue: int = 0
    nir: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """The red, green and blue band where all three are known, else None."""
        return (self.red, self.green, self.blue) if self.red and self.green and self.blue else None


def colours_of(bands: Sequence[Band], about: str = "") -> Colours:
    """The band of each colour: from wavelength or words of the name, from a sensor's numbers, else from colour interpretation.

    Many programs set the colour interpretation of the first three bands of any file to red, green and blue, and of the
    fourth to alpha, so a band's name is preferred to it. `about` is text that may name a sensor (file name, tags).
    """
    spectral_bands, remarks = _spectral_bands(bands, about)
    found = {}
    for name in (*_RGB, "nir"):
        named = [
            (spectral.order, band.index)
            for band, spectral in zip(bands, spectral_bands, strict=True)
            if spectral.name == name
        ]
        if named:
            found[name] = min(named)[1]
            continue
        interpreted = (name,) if name != "nir" else ("nir", "near infrared")
        unnamed = (
            band.index
            for band, spectral in zip(bands, spectral_bands, strict=True)
            if not spectral.name and band.colour in interpreted
        )
        found[name] = next(unnamed, 0)
    for band, spectral in zip(bands, spectral_bands, strict=True):
        if band.colour in _RGB and spectral.name not in ("", band.colour):
            remarks.append(
                f"band {band.index} is interpreted as {band.colour} and called {shown_name(band)}: the name is followed"
            )
            break
    return Colours(**found, remarks=tuple(remarks))


def _spectral_bands(bands: Sequence[Band], about: str) -> tuple[list[SpectralBand], list[str]]:
    """The part of the spectrum that each band's name or wavelength means, and warnings about doubtful ones."""
    candidates = [band for band in bands if band.colour != "alpha" or from_words(band.description).name]
    unitless = dict(
        zip(
            (band.index for band in candidates),
            wavelengths_without_unit([band.description for band in candidates]),
            strict=True,
        )
    )
    found = []
    for band in bands:
        nm = band.wavelength_nm or wavelength_in(band.description) or unitless.get(band.index)
        spectral = from_words(band.description)
        if nm is not None and spectral.name in ("", "other"):
            spectral = from_wavelength(nm)
        found.append(spectral)
    if any(spectral.name in (*_RGB, "nir") for spectral in found):
        return found, []
    coded = from_codes([band.description for band in bands], about)
    found = [code if not spectral.name else spectral for spectral, code in zip(found, coded.bands, strict=True)]
    return found, [coded.remark] if coded.remark else []


def is_alpha(band: Band) -> bool:
    """Whether a band is an alpha band: its colour interpretation is alpha, and its name or wavelength is not spectral.

    Many programs set the interpretation of the fourth band to alpha when it is near infrared.
    """
    return band.colour == "alpha" and from_words(band.description).name == "" and band.wavelength_nm is None


def choose_bands(
    bands: Sequence[Band], colours: Colours, wanted: str | Sequence[int] | None = None
) -> tuple[int, int, int]:
    """The bands to show as red, green and blue: those `wanted`, else those with these colours, else the first three.

    `wanted` is "4,3,2" or three numbers counted from 1; a single number gives a grey picture. Raises `bands_unknown`.
    """
    if wanted:
        return _parse_bands(bands, wanted)
    if colours.rgb:
        return colours.rgb
    shown = [band.index for band in bands if not is_alpha(band)] or [bands[0].index]
    if len(shown) >= 3:
        return shown[0], shown[1], shown[2]
    return (shown[0],) * 3


def guess_remark(bands: Sequence[Band], colours: Colours) -> str:
    """A warning where three of several bands are shown although red, green and blue are unknown; empty where none is needed.

    Three bands without names are taken as red, green and blue, as image viewers do.
    """
    data_bands = [band for band in bands if not is_alpha(band)]
    named = any((colours.red, colours.green, colours.blue, colours.nir))
    if colours.rgb or len(data_bands) < 3 or (len(data_bands) == 3 and not named):
        return ""
    shown = choose_bands(bands, colours)
    return (
        "the file does not say which of its bands are red, green and blue: "
        f"{', '.join(map(str, shown))} are shown; choose with bands"
    )


def shown_name(band: Band) -> str:
    """A band's name for messages: quoted, printable, at most 40 characters."""
    return repr("".join(c if c.isprintable() else " " for c in band.description)[:40])


def _parse_bands(bands: Sequence[Band], wanted: str | Sequence[int]) -> tuple[int, int, int]:
    parts = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    valid = {band.index for band in bands}
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3) or not set(numbers) <= valid:
        raise T2SError(
            "bands_unknown",
            f"bands {','.join(map(str, parts))[:80]!r} of an image with bands 1 to {len(bands)}",
            "Give three numbers for red, green and blue, such as 4,3,2, or one to be shown grey",
        )
    return (numbers[0],) * 3 if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])
