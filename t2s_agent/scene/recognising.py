"""Recognises the sensor of a file by its name, its tags and the names of its bands, or takes the one that the caller names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from t2s_agent.errors import T2SError
from t2s_agent.scene.bands import Band, is_alpha, shown_name
from t2s_agent.scene.sensors import Sensor, SensorBand, Sensors
from t2s_agent.text import one_line

CALLER, NAMES = "the caller", "the names of its bands"  # evidence
_LEAST_NAMES = 3  # names of bands that recognise a sensor without further evidence
_POLARISATIONS = ("VV", "VH", "HH", "HV")
_ENDINGS = re.compile(r"(?:[\s_.-](?:10|20|60)m)?(?:\.(?:tiff?|jp2))?$", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:b|band|layer|channel)?\s*\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recognised:
    """The sensor of a file, and what each of its bands is (None: not a band of the sensor). `why` names the evidence."""

    sensor: Sensor
    bands: tuple[SensorBand | None, ...]
    why: str

    @property
    def surely(self) -> bool:
        """Whether the file or the caller names the sensor; otherwise only the names of bands fit."""
        return self.why != NAMES


def recognise(
    bands: Sequence[Band], name: str, tags: Mapping[str, str], sensors: Sensors, wanted: str = ""
) -> Recognised | None:
    """The sensor of a file called `name`, or the one with the id `wanted`; None where nothing says which it is.

    A name or a tag counts only if the bands fit too, so that an index or a map made of a sensor's image is not taken for it.
    Raises `argument_invalid` for an unknown sensor, and `bands_unknown` where the file's bands are not those of the sensor.
    """
    data = [band for band in bands if not is_alpha(band)]
    if len(data) == 1 and not data[0].description:  # a product with one file a band has the band's name in the file's
        bands = [replace(band, description=name) if band is data[0] else band for band in bands]
    if wanted:
        sensor = sensors.named(wanted)
        if (found := _bands_of(bands, sensor, name)) is None:
            raise _other_bands(bands, sensor)
        return Recognised(sensor, found, CALLER)
    lines = "\n".join(f"{key}={value}"[:500].replace("\n", " ") for key, value in list(tags.items())[:200])
    by_names: Recognised | None = None
    for sensor in sensors.entries:
        why = _named_by(sensor, name, lines)
        if not why and not sensor.names:
            continue
        if (found := _bands_of(bands, sensor, name)) is None:
            continue
        if why:
            return Recognised(sensor, found, why)
        if by_names is None and _names_are_enough(bands, sensor, found):
            by_names = Recognised(sensor, found, NAMES)
    return by_names


def in_order(found: Recognised, bands: Sequence[Band]) -> bool:
    """Whether the bands are known by their order alone: none has the name that the sensor gives it."""
    pairs = zip(bands, found.bands, strict=True)
    return not any(meaning and _by_name(band.description, found.sensor) == meaning for band, meaning in pairs)


def _named_by(sensor: Sensor, name: str, lines: str) -> str:
    """What names a sensor: the file's name, or a tag by its key; empty where nothing does."""
    if sensor.file and re.search(sensor.file, name, re.IGNORECASE):
        return "the file's name"
    if sensor.tags and (found := re.search(sensor.tags, lines, re.IGNORECASE | re.MULTILINE)):
        line = lines[lines.rfind("\n", 0, found.end()) + 1 :]
        return f"the tag {one_line(line.partition('=')[0], 60)}"
    return ""


def _names_are_enough(bands: Sequence[Band], sensor: Sensor, found: Sequence[SensorBand | None]) -> bool:
    named = [band.description for band, meaning in zip(bands, found, strict=True) if meaning]
    needed = re.compile(sensor.names_need, re.IGNORECASE)
    return len(named) >= _LEAST_NAMES and any(needed.search(name) for name in named)


def _bands_of(bands: Sequence[Band], sensor: Sensor, file: str) -> tuple[SensorBand | None, ...] | None:
    """What each band is: by the bands' names, or by their order where they have none; None where they do not fit."""
    spoken = {id(band): band.description for band in bands if not is_alpha(band) and band.description.strip()}
    by_name = tuple(_by_name(spoken[id(band)], sensor) if id(band) in spoken else None for band in bands)
    known = [meaning for meaning in by_name if meaning]
    if known and len({meaning.name for meaning in known}) == len(known) and len(known) * 2 > len(spoken):
        return by_name
    if known or any(not _NUMBERED.fullmatch(name.strip()) for name in spoken.values() if name != file):
        return None
    # many programs write a fourth band as alpha, whatever it is
    for counted in ([band for band in bands if not is_alpha(band)], list(bands)):
        for order in sensor.orders:
            if len(order) == len(counted):
                at = {band.index: sensor.band(name) for band, name in zip(counted, order, strict=True)}
                return tuple(at.get(band.index) for band in bands)
    return None


def _by_name(text: str, sensor: Sensor) -> SensorBand | None:
    """The band of a sensor that a text names: the whole text, or for names with a number its first or last part."""
    whole = normal(text)
    best: tuple[int, SensorBand] | None = None
    for band in sensor.bands:
        for spelling in (band.name, *band.also):
            key = normal(spelling)
            part = (any(c.isdigit() for c in key) or spelling in _POLARISATIONS) and (
                whole.startswith(key + " ") or whole.endswith(" " + key)
            )
            part = part or (spelling in _POLARISATIONS and f" {key} " in whole)
            if (whole == key or part) and (best is None or len(key) > best[0]):
                best = len(key), band
    return best[1] if best else None


def normal(name: str) -> str:
    """A band's name in the form that is compared: `T31UFU_B04_10m.jp2` gives `t31ufu b4`."""
    words = re.sub(r"[\W_]+", " ", _ENDINGS.sub("", name.strip())).lower().strip()
    return re.sub(r"\bb0(?=\d)", "b", words)


def _other_bands(bands: Sequence[Band], sensor: Sensor) -> T2SError:
    names = ", ".join(shown_name(band) for band in bands[:16] if band.description) or "no names"
    orders = " or ".join(", ".join(order) for order in sensor.orders)
    fix = f"Name another sensor, or give the bands names of: {', '.join(band.name for band in sensor.bands)}"
    return T2SError(
        "bands_unknown",
        f"the image has {len(bands)} bands with {names}; {sensor.title} has other bands",
        f"{fix}; without names they are {orders}" if orders else fix,
    )
