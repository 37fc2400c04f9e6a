"""Reads the table of sensors (`sensors.toml`), after the user's own entries: bands, scaling, and how files are recognised."""

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

_LARGEST = 2**20  # bytes of a file of entries
_NOT_INHERITED = {"id", "title", "like"}
_SCALING = ("scale", "offset", "unit", "dtypes", "offset_by")


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    return pattern


Text = Annotated[str, Field(max_length=400)]
Pattern = Annotated[str, Field(max_length=400), AfterValidator(_compiles)]
Factor = Annotated[float, Field(allow_inf_nan=False)]


class SensorBand(BaseModel):
    """One band of a sensor; the comment at the top of `sensors.toml` says what each part means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    also: tuple[Text, ...] = ()
    common: Text = ""
    nm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    scale: Factor | None = None
    offset: Factor | None = None
    unit: Text | None = None


class OffsetBy(BaseModel):
    """How the offset of a product is found in its tags or its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: tuple[Text, ...] = ()
    applied: tuple[Text, ...] = ()
    baseline_tags: tuple[Text, ...] = ()
    baseline_file: Pattern = ""
    since: Factor = 0.0
    add: Factor = 0.0


class Sensor(BaseModel):
    """One entry of the table; the comment at the top of `sensors.toml` says what each part means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    title: Text
    source: Text
    like: Text = ""
    kind: Literal["optical", "sar"] = "optical"
    file: Pattern = ""
    tags: Pattern = ""
    names: bool = False
    names_need: Pattern = ""
    orders: tuple[tuple[Text, ...], ...] = ()
    bands: tuple[SensorBand, ...] = Field(min_length=1, max_length=512)
    unit: Text = ""
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    offset: Factor = 0.0
    dtypes: tuple[Text, ...] = ()
    offset_by: OffsetBy = OffsetBy()
    fill: Factor | None = None
    unscaled: Text = ""
    order_note: Text = ""
    unconfirmed: Text = ""

    @model_validator(mode="after")
    def _known_names(self) -> "Sensor":
        names = {band.name for band in self.bands}
        for order in self.orders:
            if unknown := [name for name in order if name not in names]:
                raise ValueError(f"orders name {unknown[0]!r}, which is none of the bands")
        return self

    def band(self, name: str) -> SensorBand:
        """The band with this name."""
        return next(band for band in self.bands if band.name == name)


@dataclass(frozen=True, slots=True)
class Sensors:
    """The entries, in the order of their priority."""

    entries: tuple[Sensor, ...]

    def named(self, wanted: str) -> Sensor:
        """The entry with this id. Raises `argument_invalid` with similar ids."""
        ids = {sensor.id: sensor for sensor in self.entries}
        key = wanted.strip().casefold()
        if key in ids:
            return ids[key]
        near = get_close_matches(key, ids, n=3, cutoff=0.5)
        listed = ", ".join(near or ids)
        raise T2SError(
            "argument_invalid",
            f"there is no sensor {one_line(wanted, 60)!r}",
            f"Did you mean {listed}?" if near else f"Give one of {listed}, or add it to the file in sensors_file",
        )


def load_sensors(own: Path | None = None) -> Sensors:
    """The package's table after the entries of `own`. Raises `argument_invalid` with the fault in that file."""
    packaged = _packaged()
    return Sensors((*(_read(own, packaged) if own else ()), *packaged))


@cache
def _packaged() -> tuple[Sensor, ...]:
    text = (files("t2s_agent.scene") / "sensors.toml").read_text(encoding="utf-8")
    entries: list[Sensor] = []
    for entry in tomllib.loads(text)["sensor"]:
        entries.append(_sensor(entry, entries))
    return tuple(entries)


def _sensor(entry: dict[str, Any], known: list[Sensor]) -> Sensor:
    """One entry, with the parts that it takes from the entry that `like` names. Raises ValidationError."""
    base = next((sensor for sensor in known if sensor.id == entry.get("like")), None)
    inherited = base.model_dump(exclude=_NOT_INHERITED, exclude_unset=True) if base else {}
    replaced = _SCALING if "unscaled" in entry else ("unscaled",) if "scale" in entry else ()
    inherited = {key: value for key, value in inherited.items() if key not in replaced}
    return Sensor.model_validate(inherited | entry)


def _read(path: Path, packaged: tuple[Sensor, ...]) -> tuple[Sensor, ...]:
    fix = "Correct the file, or the setting sensors_file; docs/how-to/sensors.md describes an entry"
    try:
        if path.stat().st_size > _LARGEST:
            raise T2SError("limit_exceeded", f"{path.name} is larger than {_LARGEST} bytes", fix)
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise T2SError("argument_invalid", f"{path.name} cannot be read as a table of sensors: {error}", fix) from error
    entries = table.get("sensor", [])
    if not isinstance(entries, list) or set(table) - {"sensor"} or not all(isinstance(each, dict) for each in entries):
        raise T2SError("argument_invalid", f"{path.name} has something other than [[sensor]] entries", fix)
    sensors: list[Sensor] = []
    for number, entry in enumerate(entries, 1):
        known = [*sensors, *packaged]
        if entry.get("like") and all(entry["like"] != sensor.id for sensor in known):
            what = f"entry {number} of {path.name}: like names {one_line(str(entry['like']), 60)!r}, which is no sensor"
            raise T2SError("argument_invalid", what, fix)
        try:
            sensors.append(_sensor(entry, known))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the entry"
            what = f"entry {number} of {path.name}: {where}: {first['msg']}"
            raise T2SError("argument_invalid", what, fix) from error
    return tuple(sensors)
