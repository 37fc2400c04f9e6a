"""Which bands are shown as red, green and blue, and which are red and near infrared."""

from collections.abc import Sequence
from dataclasses import dataclass

from t2s_agent.errors import T2SError
from t2s_agent.scene.lights import Light, by_codes, by_wavelength, by_words, wavelength_in, wavelengths_without_unit

_RGB = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scene.

    `index` counts from 1; `colour` is GDAL's interpretation in lower case; `wavelength_nm` is its central wavelength where
    a tag states it; a stored value means `stored * scale + offset`.
    """

    index: int
    description: str
    colour: str
    dtype: str
    wavelength_nm: float | None = None
    scale: float = 1.0
    offset: float = 0.0

    @property
    def scaled(self) -> bool:
        """Whether stored values are not what they mean."""
        return (self.scale, self.offset) != (1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Colours:
    """The bands (counted from 1) that hold each light, 0 where none does; `remarks` say how sure that is."""

    red: int = 0
    green: int = 0
    blue: int = 0
    nir: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """Red, green and blue where all three are known."""
        return (self.red, self.green, self.blue) if self.red and self.green and self.blue else None


def colours_of(bands: Sequence[Band], about: str = "") -> Colours:
    """What the bands hold: by wavelength or words of the name, by a sensor's numbers, else by colour interpretation.

    Many programs call the first three bands of any file red, green and blue, and the fourth alpha, so what a band is
    called comes before what it is interpreted as. `about` is text in which a sensor may be named (file name, tags).
    """
    lights, remarks = _described(bands, about)
    found = {}
    for name in (*_RGB, "nir"):
        named = [(light.order, band.index) for band, light in zip(bands, lights, strict=True) if light.name == name]
        if named:
            found[name] = min(named)[1]
            continue
        interpreted = (name,) if name != "nir" else ("nir", "near infrared")
        unnamed = (
            band.index
            for band, light in zip(bands, lights, strict=True)
            if not light.name and band.colour in interpreted
        )
        found[name] = next(unnamed, 0)
    for band, light in zip(bands, lights, strict=True):
        if band.colour in _RGB and light.name not in ("", band.colour):
            remarks.append(
                f"band {band.index} is interpreted as {band.colour} and called {shown_name(band)}: the name is followed"
            )
            break
    return Colours(**found, remarks=tuple(remarks))


def _described(bands: Sequence[Band], about: str) -> tuple[list[Light], list[str]]:
    """The light that each band's name or wavelength means, and remarks on how sure that is."""
    spectral = [band for band in bands if band.colour != "alpha" or by_words(band.description).name]
    unitless = dict(
        zip(
            (band.index for band in spectral),
            wavelengths_without_unit([band.description for band in spectral]),
            strict=True,
        )
    )
    lights = []
    for band in bands:
        nm = band.wavelength_nm or wavelength_in(band.description) or unitless.get(band.index)
        light = by_words(band.description)
        if nm is not None and light.name in ("", "other"):
            light = by_wavelength(nm)
        lights.append(light)
    if any(light.name in (*_RGB, "nir") for light in lights):
        return lights, []
    coded = by_codes([band.description for band in bands], about)
    lights = [code if not light.name else light for light, code in zip(lights, coded.lights, strict=True)]
    return lights, [coded.remark] if coded.remark else []


def is_alpha(band: Band) -> bool:
    """Whether a band says where there is data: interpreted as alpha, and not called light, which many writers mix up."""
    return band.colour == "alpha" and by_words(band.description).name == "" and band.wavelength_nm is None


def choose_bands(
    bands: Sequence[Band], colours: Colours, wanted: str | Sequence[int] | None = None
) -> tuple[int, int, int]:
    """The bands shown as red, green and blue: those `wanted`, else those that hold them, else the first.

    `wanted` is "4,3,2" or three numbers counted from 1 (one number is shown grey). Raises `bands_unknown`.
    """
    if wanted:
        return _asked(bands, wanted)
    if colours.rgb:
        return colours.rgb
    shown = [band.index for band in bands if not is_alpha(band)] or [bands[0].index]
    if len(shown) >= 3:
        return shown[0], shown[1], shown[2]
    return (shown[0],) * 3


def guess_remark(bands: Sequence[Band], colours: Colours) -> str:
    """Said where red, green and blue are not known and three of several bands are shown; empty where nothing needs saying.

    Three bands without any names are taken for red, green and blue, as every viewer does.
    """
    light = [band for band in bands if not is_alpha(band)]
    named = any((colours.red, colours.green, colours.blue, colours.nir))
    if colours.rgb or len(light) < 3 or (len(light) == 3 and not named):
        return ""
    shown = choose_bands(bands, colours)
    return (
        "the file does not say which of its bands are red, green and blue: "
        f"{', '.join(map(str, shown))} are shown; choose with bands"
    )


def shown_name(band: Band) -> str:
    """A band's name as it may be shown: quoted, printable, short."""
    return repr("".join(c if c.isprintable() else " " for c in band.description)[:40])


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
            f"bands {','.join(map(str, parts))[:80]!r} of an image with bands 1 to {len(bands)}",
            "Give three numbers for red, green and blue, such as 4,3,2, or one to be shown grey",
        )
    return (numbers[0],) * 3 if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])
