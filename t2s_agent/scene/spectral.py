"""Finds which part of the spectrum a band holds, from its name or its wavelength. `spectral.toml` lists names and sensors."""

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
_NM = (350.0, 2600.0)  # the range of optical sensors


@dataclass(frozen=True, slots=True)
class SpectralBand:
    """The part of the spectrum that a band holds. `name` is one of `WANTED`, "other", or empty where it is unknown.

    `order` decides between several bands with the same name: the lowest is used.
    """

    name: str = ""
    order: float = 0.0


UNKNOWN = SpectralBand()


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "spectral.toml").read_text(encoding="utf-8"))


@cache
def _phrases() -> list[tuple[tuple[str, ...], SpectralBand]]:
    """Phrases as tuples of words, with the spectral band that each means; the longest phrases first."""
    table = [
        (tuple(phrase.split()), SpectralBand(name, float(order)))
        for name, phrases in _table()["phrases"].items()
        for phrase, order in phrases.items()
    ]
    return sorted(table, key=lambda entry: -len(entry[0]))


def split_words(name: str) -> list[str]:
    """The words of a name in lower case: `RedEdge_1 (B5)` gives red, edge, 1, b5."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    spaced = re.sub(r"(?i)\b(nir|green|blue|red|swir|rededge|edge)(?=\d)", r"\1 ", re.sub(r"[\W_]+", " ", spaced))
    return spaced.lower().split()


def from_words(name: str) -> SpectralBand:
    """The spectral band that the words of a name mean; `UNKNOWN` where they mean none, or more than one."""
    whole = name.strip().lower()
    for spectral, names in _table()["names"].items():
        if whole in names:
            return SpectralBand(spectral, 1.0)
    words, found = split_words(name), []
    while words:
        for phrase, spectral in _phrases():
            if tuple(words[: len(phrase)]) == phrase:
                # a name without other words is preferred
                extra = 0.0 if len(split_words(name)) == len(phrase) else 0.5
                found.append(SpectralBand(spectral.name, spectral.order + extra))
                words = words[len(phrase) :]
                break
        else:
            words = words[1:]
    names_found = {spectral.name for spectral in found}
    return found[0] if len(names_found) == 1 else UNKNOWN


def from_wavelength(nm: float | None) -> SpectralBand:
    """The spectral band of a central wavelength in nanometres."""
    if nm is None or not _NM[0] <= nm <= 30_000:
        return UNKNOWN
    for name, span in _table()["wavelengths"].items():
        if span["from"] <= nm <= span["to"]:
            return SpectralBand(name, abs(nm - span["best"]))
    return SpectralBand("other")


def common_name(name: str, nm: float | None) -> str:
    """The STAC common name or the polarisation that a whole name or a wavelength (nm) means; empty where it means none of `[common]`.

    Polarisations are found in names such as `VV` and `Sigma0_VV_db`.
    """
    words = split_words(name)
    for common, meaning in _table()["common"].items():
        if " ".join(words) in meaning["names"] or (common.isupper() and common.lower() in words):
            return str(common)
    for common, meaning in _table()["common"].items() if nm is not None else ():
        if nm is not None and meaning.get("from", 1) <= nm <= meaning.get("to", 0):
            return str(common)
    return ""


def wavelength_in(name: str) -> float | None:
    """The central wavelength (nm) that a name contains with its unit: `665 nm`, `0.63-0.69 um`; None without one."""
    found = _WAVELENGTH.search(name)
    if found is None:
        return None
    first, last, unit = found.groups()
    middle = (float(first) + float(last or first)) / 2
    return middle if unit.lower().startswith(("nm", "nano")) else middle * 1000


def wavelengths_without_unit(names: Sequence[str]) -> list[float | None]:
    """Wavelengths (nm) of bands with names such as `B490`, `band_560`, `665` or, in micrometres, `0.665`.

    A list of None where not all names are wavelengths. Small numbers can mean many things, so names in micrometres count
    only where red, green and blue are among them. Numbers that increase or decrease by 1 are numbers of bands, or years.
    """
    nothing: list[float | None] = [None] * len(names)
    if len(names) >= 3 and all(_MICRO.fullmatch(name.strip()) for name in names):
        in_nm = [float(name) * 1000 for name in names]
        found_names = {from_wavelength(nm).name for nm in in_nm}
        return list(in_nm) if {"red", "green", "blue"} <= found_names and max(in_nm) <= _NM[1] else nothing
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
        if (with_unit := wavelength_in(value)) is not None:
            return with_unit
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
class CodedBands:
    """The spectral band that each band's number means. `remark` is a warning where the numbers are ambiguous."""

    bands: tuple[SpectralBand, ...]
    remark: str = ""


def from_codes(names: Sequence[str], about: str) -> CodedBands:
    """Spectral bands of bands with the numbers of a sensor as their names (`B04`, `SR_B4`, `sur_refl_b01`).

    `about` is text of the file (its name, its tags). Where it names a sensor, that sensor is used. Otherwise, of the sensors
    with these numbers: one with exactly these bands is preferred, then those in which red, green and blue (and near infrared)
    are found, then the first in the table; `remark` names the other sensors if their numbers mean other bands.
    Numbers that only count from 1 (`Band 1`, `B1`, `B2`) mean nothing unless the file names a sensor.
    """
    nothing = CodedBands((UNKNOWN,) * len(names))
    matches = [match for sensor in _table()["sensor"] if (match := _match(names, sensor, about)) is not None]
    longest = max((match.prefix for match in matches), default=0)
    matches = [match for match in matches if match.prefix == longest]  # for SR_B4, sensors with a plain B4 do not count
    if named := [match for match in matches if match.named]:
        doubt = f"the bands merely count from 1: they are read as those of {named[0].sensor}, which the file names"
        return CodedBands(named[0].bands, doubt if _counts_from_one(names) else "")
    if not matches or _counts_from_one(names):
        return nothing
    # a panchromatic band has a higher resolution than the others, so it is seldom in the same file
    for keep in (
        lambda match: match.exact,
        lambda match: match.contains("red", "green", "blue"),
        lambda match: not match.contains("pan"),
    ):
        matches = [match for match in matches if keep(match)] or matches
    chosen = next((match for match in matches if match.contains("nir")), matches[0])
    others = " or ".join(sorted({match.sensor for match in matches if match.wanted() != chosen.wanted()}))
    doubt = f"the bands' numbers are read as {chosen.sensor}; in {others} they mean other colours" if others else ""
    return CodedBands(chosen.bands, doubt)


@dataclass(frozen=True, slots=True)
class _Match:
    """Band names interpreted with the numbers of one sensor.

    `prefix` is the length of the text before the number; `exact`: the names are all of the sensor's bands;
    `named`: the file names the sensor.
    """

    sensor: str
    bands: tuple[SpectralBand, ...]
    prefix: int
    exact: bool
    named: bool

    def contains(self, *names: str) -> bool:
        return set(names) <= {band.name for band in self.bands}

    def wanted(self) -> list[str]:
        return [band.name if band.name in WANTED else "" for band in self.bands]


def _counts_from_one(names: Sequence[str]) -> bool:
    """Whether names are `Band 1`, `Band 2`, ... or `B1`, `B2`, ...: many programs write these without knowing the bands."""
    plain = [re.fullmatch(r"(?:b|band|layer|channel)[\s_-]*(\d+)", name.strip(), re.IGNORECASE) for name in names]
    if not all(plain) or len(names) >= 10:
        return False
    if any(match and match[1].startswith("0") and len(match[1]) > 1 for match in plain):
        return False  # Sentinel-2 and Himawari write two digits: B01
    return [int(match[1]) for match in plain if match] == list(range(1, len(names) + 1))


def _match(names: Sequence[str], sensor: Mapping[str, Any], about: str) -> _Match | None:
    """The bands with this sensor's numbers; None where fewer than two names match, or one has a number that it lacks."""
    named = re.search(sensor["hint"], about, re.IGNORECASE) is not None
    if sensor.get("only_named") and not named:
        return None
    zeros = "(?!0\\d)" if sensor.get("unpadded") else "0*"
    pattern = re.compile(
        rf"(?:.*?[\s_.-])??({sensor['prefix']})[\s_-]*{zeros}(\d+[A-Z]?)(?:[\s_-]\d+m)?", re.IGNORECASE
    )
    bands, prefix, found = [], 0, set()
    for name in names:
        match = pattern.fullmatch(name.strip().removesuffix(".tif").removesuffix(".jp2"))
        if match is None:
            bands.append(UNKNOWN)
            continue
        code = match[2].upper()
        if code not in sensor["codes"]:
            return None
        found.add(code)
        prefix = max(prefix, len(match[1]))
        # of 8 and 8A, 8 is the broad band
        order = 2.0 if code[-1].isalpha() and code[:-1] in sensor["codes"] else 1.0
        bands.append(SpectralBand(sensor["codes"][code], order))
    if sum(band.name != "" for band in bands) < 2:
        return None
    return _Match(sensor["name"], tuple(bands), prefix, found == set(sensor["codes"]), named)
