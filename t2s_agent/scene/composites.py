"""Chooses the bands of a picture by their numbers, by their names, or by the name of a composite."""

from collections.abc import Callable, Sequence

from t2s_agent.errors import T2SError
from t2s_agent.scene.bands import choose_bands, is_alpha, shown_name
from t2s_agent.scene.decibels import band_words, bands_behind, decibels
from t2s_agent.scene.legend import Legend
from t2s_agent.scene.recognising import normal
from t2s_agent.text import one_line

Three = tuple[int, int, int]
_NIR, _SWIR = ("nir", "nir08"), ("swir22", "swir16")
_OTHER_NAMES = {"nir": _NIR, "swir": _SWIR, "red edge": ("rededge", "rededge071"), "rededge": ("rededge071",)}
_LONGEST = 24  # bands that a message names


def choose(legend: Legend, wanted: str | Sequence[int] | None = None) -> Three:
    """The bands to show as red, green and blue; numbers below 0 are decibels (`scene.decibels`).

    `wanted` is a composite (`COMPOSITES`), three bands by number or name ("4,3,2", "nir,red,green", "B8,B4,B3"), or one to be
    shown grey; `sar:1,2` names the bands of a radar composite. Without it: a radar's composite, the bands with the colours, or
    the first three. Raises `bands_unknown`, which names the bands of the image.
    """
    if not wanted:
        known = _polarisations(legend) if legend.is_radar else ()
        return _in_decibels(known) if known else choose_bands(legend.bands, legend.colours)
    if not isinstance(wanted, str):
        return _numbers(legend, wanted)
    text = wanted.strip()
    head, colon, rest = text.partition(":")
    if colon and head.strip().lower() == "sar":
        return _radar(legend, [_number_of(legend, part) for part in rest.split(",")])
    if composite := COMPOSITES.get(text.lower()):
        return composite(legend)
    parts = [part.strip() for part in text.split(",")]
    if all(_is_number(part) for part in parts):
        return _numbers(legend, [int(part) for part in parts])
    if len(parts) not in (1, 3) or not all(parts):
        raise _unknown(legend, f"bands {one_line(text, 80)!r} are not one or three")
    return _three([_number_of(legend, part) for part in parts])


def shown_remark(legend: Legend, shown: Sequence[int]) -> str:
    """A remark about a picture in decibels; empty for others."""
    if all(number > 0 for number in shown):
        return ""
    names = {band: legend.bands[band - 1].common for band in bands_behind(shown)}
    called = ", ".join(f"band {band} is {name}" for band, name in names.items() if name)
    what = "; ".join(dict.fromkeys(band_words(number) for number in shown))
    return f"the picture shows decibels of stored values, not calibrated: {what}" + (f" ({called})" if called else "")


def bands_in_words(legend: Legend) -> str:
    """The bands of an image for messages: `1 'B02' (blue), 2 'B03' (green)`."""
    listed = []
    for band in legend.bands[:_LONGEST]:
        name = f" {shown_name(band)}" if band.description else ""
        common = f" ({band.common})" if band.common and band.common != band.description.lower() else ""
        listed.append(f"{band.index}{name}{common}")
    return ", ".join(listed) + (", ..." if len(legend.bands) > _LONGEST else "")


def _true(legend: Legend) -> Three:
    colours = legend.colours
    return _present(legend, "true", "red, green and blue", (colours.red, colours.green, colours.blue))


def _false(legend: Legend) -> Three:
    colours = legend.colours
    return _present(legend, "false", "near infrared, red and green", (colours.nir, colours.red, colours.green))


def _swir(legend: Legend) -> Three:
    found = (legend.index_of(*_SWIR), legend.colours.nir, legend.colours.red)
    return _present(legend, "swir", "shortwave infrared (swir22 or swir16), near infrared and red", found)


def _pan(legend: Legend) -> Three:
    data = [band.index for band in legend.bands if not is_alpha(band)]
    band = legend.index_of("pan") or (data[0] if len(data) == 1 else 0)
    return _present(legend, "pan", "panchromatic", (band,) * 3)


def _radar(legend: Legend, bands: Sequence[int] = ()) -> Three:
    bands = bands or _polarisations(legend)
    if len(bands) not in (1, 2) or len(set(bands)) < len(bands):
        raise _unknown(legend, "no bands are known to be VV and VH, or HH and HV", " Name them, such as sar:1,2.")
    return _in_decibels(bands)


COMPOSITES: dict[str, Callable[[Legend], Three]] = {
    "true": _true,
    "false": _false,
    "swir": _swir,
    "pan": _pan,
    "sar": _radar,
}


def _polarisations(legend: Legend) -> tuple[int, ...]:
    """The bands of VV and VH, or of HH and HV, or one of them, or the only band; empty where they are not known."""
    for pair in (("VV", "VH"), ("HH", "HV")):
        if found := tuple(index for name in pair if (index := legend.index_of(name))):
            return found
    data = tuple(band.index for band in legend.bands if not is_alpha(band))
    return data if len(data) == 1 else ()


def _in_decibels(bands: Sequence[int]) -> Three:
    """Two bands and their difference, or one band grey."""
    if len(bands) == 1:
        return (decibels(bands[0]),) * 3
    return decibels(bands[0]), decibels(bands[1]), decibels(bands[0], bands[1])


def _present(legend: Legend, composite: str, needed: str, found: Three) -> Three:
    if not all(found):
        raise _unknown(legend, f"the composite {composite} needs {needed}, which are not all known")
    return found


def _numbers(legend: Legend, numbers: Sequence[int]) -> Three:
    """Three numbers of bands, of which those below 0 stand for decibels."""
    if all(number >= 0 for number in numbers):
        return choose_bands(legend.bands, legend.colours, list(numbers))
    choose_bands(legend.bands, legend.colours, (bands_behind(numbers) * 3)[:3])  # it refuses unknown ones
    if len(numbers) not in (1, 3) or max(numbers) >= 0:
        raise _unknown(legend, f"bands {one_line(str(list(numbers)), 80)} are not one or three of decibels")
    return _three(numbers)


def _three(numbers: Sequence[int]) -> Three:
    return (numbers[0],) * 3 if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def _number_of(legend: Legend, part: str) -> int:
    """The number of a band by its number or its name: its own name first, then the sensor's, then the common one."""
    if _is_number(part):
        if 1 <= int(part) <= len(legend.bands):
            return int(part)
        raise _unknown(legend, f"there is no band {one_line(part, 20)}")
    key = normal(part)
    ranked: list[tuple[int, int]] = []
    for band in legend.bands:
        names = [normal(name) for name in legend.spellings_of(band)]
        if key and key in names:
            ranked.append((names.index(key), band.index))
    if ranked:
        return min(ranked)[1]
    colours = {name: getattr(legend.colours, name) for name in ("red", "green", "blue", "nir")}
    found = colours.get(key, 0) or legend.index_of(*_OTHER_NAMES.get(key, ()))
    if found:
        return int(found)
    raise _unknown(legend, f"there is no band {one_line(part, 40)!r}")


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 12


def _unknown(legend: Legend, what: str, how: str = "") -> T2SError:
    if len(legend.bands) == 1:
        how += " Bands that come as one file each are stacked into one: gdalbuildvrt -separate, then gdal_translate."
    return T2SError(
        "bands_unknown",
        f"{what}; the image has bands {bands_in_words(legend)}",
        f"Give three of them by number or name, one to be shown grey, or {', '.join(COMPOSITES)}.{how} If the image's sensor is not "
        "recognised, name it with sensor",
    )
