"""Which part of the spectrum a band holds, read from its name or wavelength. The words and sensors are in `lights.toml`."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

WANTED = ("red", "green", "blue", "nir")
_WAVELENGTH = re.compile(
    r"(?<![\w.])(\d+(?:\.\d+)?)(?:\s*(?:-|–|to|\.\.)\s*(\d+(?:\.\d+)?))?\s*"
    r"(nm|nanomet(?:er|re)s?|um|µm|μm|micromet(?:er|re)s?|microns?)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?:b|band|wl|wavelength|lambda|λ|rrs|rho|rhos|reflectance|r)?[\s_.-]*(\d{3,4}(?:\.\d+)?)", re.IGNORECASE
)
_MICRO = re.compile(r"[0-2]\.\d{2,6}")
_NM = (350.0, 2600.0)  # what optical sensors measure


@dataclass(frozen=True, slots=True)
class Light:
    """What one band holds. `name` is one of `WANTED`, "other", or empty where nothing is known.

    `order` says which of several bands with the same light is meant: the lowest.
    """

    name: str = ""
    order: float = 0.0


UNKNOWN = Light()


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "lights.toml").read_text(encoding="utf-8"))


@cache
def _phrases() -> list[tuple[tuple[str, ...], Light]]:
    """Phrases as tuples of words, the longest first."""
    table = [
        (tuple(phrase.split()), Light(light, float(order)))
        for light, phrases in _table()["phrases"].items()
        for phrase, order in phrases.items()
    ]
    return sorted(table, key=lambda entry: -len(entry[0]))


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: `RedEdge_1 (B5)` is red, edge, 1, b5."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    apart = re.sub(r"(?i)\b(nir|green|blue|red|swir|rededge|edge)(?=\d)", r"\1 ", re.sub(r"[\W_]+", " ", apart))
    return apart.lower().split()


def by_words(name: str) -> Light:
    """The light that the words of a name mean; unknown where there is none, or more than one."""
    whole = name.strip().lower()
    for light, names in _table()["names"].items():
        if whole in names:
            return Light(light, 1.0)
    words, found = words_of(name), []
    while words:
        for phrase, light in _phrases():
            if tuple(words[: len(phrase)]) == phrase:
                # a plain name comes before the same light with words around it
                found.append(Light(light.name, light.order + (0.0 if len(words_of(name)) == len(phrase) else 0.5)))
                words = words[len(phrase) :]
                break
        else:
            words = words[1:]
    names_found = {light.name for light in found}
    return found[0] if len(names_found) == 1 else UNKNOWN


def by_wavelength(nm: float | None) -> Light:
    """The light of a central wavelength in nanometres."""
    if nm is None or not _NM[0] <= nm <= 30_000:
        return UNKNOWN
    for light, span in _table()["wavelengths"].items():
        if span["from"] <= nm <= span["to"]:
            return Light(light, abs(nm - span["best"]))
    return Light("other")


def wavelength_in(name: str) -> float | None:
    """The central wavelength (nm) that a name states with its unit: `665 nm`, `0.63-0.69 um`."""
    found = _WAVELENGTH.search(name)
    if found is None:
        return None
    first, last, unit = found.groups()
    middle = (float(first) + float(last or first)) / 2
    return middle if unit.lower().startswith(("nm", "nano")) else middle * 1000


def wavelengths_without_unit(names: Sequence[str]) -> list[float | None]:
    """Wavelengths (nm) of bands that are all called `B490`, `band_560`, `665` or, in micrometres, `0.665`; None for each where
    they are not. In micrometres red, green and blue must be among them: small numbers can mean much.

    Numbers that follow one another without a gap count the bands, or years, and are no wavelengths.
    """
    nothing: list[float | None] = [None] * len(names)
    if len(names) >= 3 and all(_MICRO.fullmatch(name.strip()) for name in names):
        in_nm = [float(name) * 1000 for name in names]
        lights = {by_wavelength(nm).name for nm in in_nm}
        return list(in_nm) if {"red", "green", "blue"} <= lights and max(in_nm) <= _NM[1] else nothing
    found = [_NUMBERED.fullmatch(name.strip()) for name in names]
    numbers = [float(match[1]) for match in found if match]
    if len(numbers) < len(names) or len(numbers) < 2 or not all(_NM[0] <= n <= _NM[1] for n in numbers):
        return nothing
    steps = {round(b - a, 6) for a, b in pairwise(numbers)}
    return nothing if steps <= {1.0, -1.0} else list(numbers)


def wavelength_tag(tags: Mapping[str, str]) -> float | None:
    """The central wavelength (nm) in a band's tags, as GDAL (CENTRAL_WAVELENGTH_UM) and ENVI (wavelength) write it."""
    lower = {key.lower(): value for key, value in tags.items()}
    for key, factor in (("central_wavelength_um", 1000.0), ("wavelength_nm", 1.0), ("central_wavelength_nm", 1.0)):
        if (number := _number(lower.get(key))) is not None:
            return number * factor
    for key in ("wavelength", "central_wavelength", "center_wavelength", "centre_wavelength"):
        value = lower.get(key, "")
        if (stated := wavelength_in(value)) is not None:
            return stated
        if (number := _number(value)) is not None:
            unit = (lower.get("wavelength_units") or lower.get("wavelength_unit") or "").lower()
            micro = unit.startswith(("micro", "um", "µm", "μm")) or (not unit and number < 100)
            return number * 1000 if micro else number
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 < number < 1e6 else None


@dataclass(frozen=True, slots=True)
class Coded:
    """What the bands' numbers mean: a light for each band, and what to say where they could mean something else."""

    lights: tuple[Light, ...]
    remark: str = ""


def by_codes(names: Sequence[str], about: str) -> Coded:
    """Lights of bands that are called by a sensor's numbers (`B04`, `SR_B4`, `sur_refl_b01`).

    `about` is text from the file (its name, its tags) in which a sensor may be named: that one is meant. Else, of the
    sensors that the numbers fit: one with exactly these bands, else those in which red, green and blue (and near
    infrared) are found, and of these the first in the table; `remark` names others in which other bands are meant.
    Numbers that merely count from 1 (`Band 1`, `B1`, `B2`) mean nothing unless a sensor is named.
    """
    nothing = Coded((UNKNOWN,) * len(names))
    fitting = [fit for sensor in _table()["sensor"] if (fit := _fit(names, sensor, about)) is not None]
    longest = max((fit.prefix for fit in fitting), default=0)
    fitting = [fit for fit in fitting if fit.prefix == longest]  # SR_B4 is not just some B4
    if named := [fit for fit in fitting if fit.named]:
        doubt = f"the bands merely count from 1: they are read as those of {named[0].sensor}, which the file names"
        return Coded(named[0].lights, doubt if _merely_counted(names) else "")
    if not fitting or _merely_counted(names):
        return nothing
    # a panchromatic band is finer than the others and not kept in one file with them
    for keep in (
        lambda fit: fit.exact,
        lambda fit: fit.finds("red", "green", "blue"),
        lambda fit: not fit.finds("pan"),
    ):
        fitting = [fit for fit in fitting if keep(fit)] or fitting
    chosen = next((fit for fit in fitting if fit.finds("nir")), fitting[0])
    others = " or ".join(sorted({fit.sensor for fit in fitting if fit.meant() != chosen.meant()}))
    doubt = f"the bands' numbers are read as {chosen.sensor}; in {others} they mean other colours" if others else ""
    return Coded(chosen.lights, doubt)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Bands read by one sensor's numbers. `prefix` is how many characters of a name stood before its number."""

    sensor: str
    lights: tuple[Light, ...]
    prefix: int
    exact: bool
    named: bool

    def finds(self, *names: str) -> bool:
        return set(names) <= {light.name for light in self.lights}

    def meant(self) -> list[str]:
        return [light.name if light.name in WANTED else "" for light in self.lights]


def _merely_counted(names: Sequence[str]) -> bool:
    """Whether names are `Band 1`, `Band 2`, ... or `B1`, `B2`, ...: what programs write that know nothing of the bands."""
    plain = [re.fullmatch(r"(?:b|band|layer|channel)[\s_-]*(\d+)", name.strip(), re.IGNORECASE) for name in names]
    if not all(plain) or len(names) >= 10:
        return False
    if any(match and match[1].startswith("0") and len(match[1]) > 1 for match in plain):
        return False  # two digits: B01 is how Sentinel-2 and Himawari write it
    return [int(match[1]) for match in plain if match] == list(range(1, len(names) + 1))


def _fit(names: Sequence[str], sensor: Mapping[str, Any], about: str) -> _Fit | None:
    """The bands by this sensor's numbers; None where fewer than two names fit, or one has a number that it lacks."""
    named = re.search(sensor["hint"], about, re.IGNORECASE) is not None
    if sensor.get("only_named") and not named:
        return None
    zeros = "(?!0\\d)" if sensor.get("unpadded") else "0*"
    pattern = re.compile(
        rf"(?:.*?[\s_.-])??({sensor['prefix']})[\s_-]*{zeros}(\d+[A-Z]?)(?:[\s_-]\d+m)?", re.IGNORECASE
    )
    lights, prefix, found = [], 0, set()
    for name in names:
        match = pattern.fullmatch(name.strip().removesuffix(".tif").removesuffix(".jp2"))
        if match is None:
            lights.append(UNKNOWN)
            continue
        code = match[2].upper()
        if code not in sensor["codes"]:
            return None
        found.add(code)
        prefix = max(prefix, len(match[1]))
        # of 8 and 8A the plain number is the broad band
        lights.append(Light(sensor["codes"][code], 2.0 if code[-1].isalpha() and code[:-1] in sensor["codes"] else 1.0))
    if sum(light.name != "" for light in lights) < 2:
        return None
    return _Fit(sensor["name"], tuple(lights), prefix, found == set(sensor["codes"]), named)
