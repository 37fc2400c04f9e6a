"""Says how stored values of a band become physical values: by the file's own scale, or by the rules of its sensor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from t2s_agent.scene.bands import Band
from t2s_agent.scene.recognising import Recognised
from t2s_agent.scene.sensors import OffsetBy, SensorBand
from t2s_agent.text import one_line

_AS_STORED = "stored values"


@dataclass(frozen=True, slots=True)
class Scaling:
    """value = stored x `scale` + `offset`, in `unit`; `how` says by which rule.

    `other_offset`: the offset that is as possible as `offset`, where the file does not say which is right.
    `known`: whether values are in a physical unit.
    """

    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    how: str = _AS_STORED
    known: bool = False
    other_offset: float | None = None

    @property
    def words(self) -> str:
        """`surface reflectance = stored x 0.0001 - 0.1, by ...`, or why stored values are used."""
        return f"{self.unit} = {self.formula}, {self.how}" if self.known else self.how

    @property
    def formula(self) -> str:
        """`stored x 0.0001 - 0.1`."""
        parts = "stored" if self.scale == 1 else f"stored x {self.scale:.10g}"
        return parts if not self.offset else f"{parts} {'-' if self.offset < 0 else '+'} {abs(self.offset):.10g}"


@dataclass(frozen=True, slots=True)
class Offset:
    """An offset in stored values, and where it is from; `unknown` where the file does not say whether it applies."""

    added: float
    how: str
    unknown: bool = False


def scaling_of(
    band: Band, recognised: Recognised | None, meaning: SensorBand | None, tags: Mapping[str, str], name: str
) -> Scaling:
    """The scaling of a band of a file called `name`; `tags` are the file's and the band's.

    A scale or offset in the file is preferred to the sensor's. Floating-point values of a sensor that stores integers are
    taken as scaled already, which `how` says.
    """
    sensor = recognised.sensor if recognised else None
    unit = _unit(sensor.unit if sensor else "", meaning)
    if band.scaled:
        return Scaling(band.scale, band.offset, unit or "value", "by the scale and offset in the file", True)
    if sensor is None or meaning is None:
        return Scaling(how="stored values: nothing says how they are scaled")
    if sensor.scale is None:
        return Scaling(how=f"stored values of {sensor.title}: {sensor.unscaled or 'its entry has no scale'}")
    if meaning.unit == "":
        return Scaling(how=f"stored values: {meaning.name} is no measurement")
    if band.dtype.startswith("float"):
        return Scaling(1.0, 0.0, unit, f"as stored: {sensor.title} as floating-point values is taken as scaled", True)
    if sensor.dtypes and band.dtype not in sensor.dtypes:
        how = f"stored values: {band.dtype} is not the type of {sensor.title} ({', '.join(sensor.dtypes)})"
        return Scaling(how=how)
    scale = sensor.scale if meaning.scale is None else meaning.scale
    if meaning.scale is not None or meaning.offset is not None:
        return Scaling(scale, meaning.offset or 0.0, unit, f"as {sensor.title} stores {meaning.name}", True)
    offset = offset_of(sensor.offset_by, tags, name)
    if offset is None:
        return Scaling(scale, sensor.offset, unit, f"as {sensor.title} is stored", True)
    if offset.unknown:
        return Scaling(scale, 0.0, unit, offset.how, False, offset.added * scale)
    return Scaling(scale, offset.added * scale, unit, f"as {sensor.title} is stored, {offset.how}", True)


def offset_of(rule: OffsetBy, tags: Mapping[str, str], name: str) -> Offset | None:
    """The offset of a product by its tags or its name; None where the sensor has none that depends on the product."""
    if rule == OffsetBy():
        return None
    upper = _upper(tags)
    for key in rule.applied:
        if upper.get(key.upper(), "").strip().lower() in ("true", "yes", "1"):
            return Offset(0.0, f"its offset is applied already (tag {key})")
    for key in rule.tags:
        if (number := _number(upper.get(key.upper(), ""))) is not None:
            return Offset(number, f"{number:+g} by the tag {key}")
    baseline, where = _baseline(rule, upper, name)
    if baseline is None:
        how = (
            f"the processing baseline is not known: from {rule.since:05.2f} on {rule.add:+g} is added to stored values, before it "
            "nothing. The tag PROCESSING_BASELINE or the product's own file name says which"
        )
        return Offset(rule.add, how, unknown=True)
    added = rule.add if baseline >= rule.since else 0.0
    return Offset(
        added,
        f"{added:+g} by the processing baseline {baseline:05.2f} in {where}"
        if added
        else f"without offset by the processing baseline {baseline:05.2f} in {where}",
    )


def _upper(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags by their keys in capitals. GDAL cuts `s2:key=value` at the first colon: here it is put together again."""
    upper = {key.upper(): value for key, value in tags.items()}
    for key, value in list(upper.items()):
        rest, equals, cut = value.partition("=")
        if equals and re.fullmatch(r"\w{1,60}", rest):
            upper.setdefault(f"{key}:{rest}".upper(), cut)
    return upper


def _baseline(rule: OffsetBy, upper: Mapping[str, str], name: str) -> tuple[float | None, str]:
    for key in rule.baseline_tags:
        if (number := _number(upper.get(key.upper(), "").removeprefix("N"))) is not None:
            return (number / 100 if number >= 100 else number), f"the tag {key}"
    texts = [(name, "the file's name"), *((value, f"the tag {one_line(key, 60)}") for key, value in upper.items())]
    for text, where in texts if rule.baseline_file else ():
        if found := re.search(rule.baseline_file, text[:500]):
            return float(".".join(found.groups())), where
    return None, ""


def _unit(default: str, meaning: SensorBand | None) -> str:
    return default if meaning is None or meaning.unit is None else meaning.unit


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e6 else None
