"""The attributes of a region in files: names, types, units and meaning, in one table for all formats.

Names carry the unit: metres on Earth, pixels of the image where there is no place on Earth. `docs/reference/files.md` shows the table.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from t2s_agent.regions.plus_minus import level_of
from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.units import Units
from t2s_agent.scene.scale import significant
from t2s_agent.text import plain

Kind = Literal["text", "integer", "real", "boolean"]
_LABEL = 80  # characters


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute. `short` is its name in a shapefile: at most ten characters. `unit` is empty for what has none."""

    name: str
    short: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class About:
    """What is the same for all regions of a result, and is written on each, so that files can be merged.

    `pm_level` says what the plus/minus covers, `pm_method` how values and plus/minus were computed.
    """

    result: str = ""
    question: str = ""
    image: str = ""
    prompter: str = ""
    segmenter: str = ""
    pm_level: str = ""
    pm_method: str = ""


@cache
def fields_of(units: Units) -> tuple[Field, ...]:
    """All attributes, in the order in which files have them. Those of the units are named by them."""
    area, length, place = units.area, units.length, units.place
    x, y = units.centroid
    where = (
        "{} of the centroid"
        if units.on_earth
        else "{} of the centroid in pixels of the image, from its upper left corner"
    )
    return (
        Field("uid", "uid", "text", "", "id that stays unique when files are merged: result id, hyphen, id"),
        Field("id", "id", "integer", "", "id of the region in its result, from 1; the value of its pixels in mask.tif"),
        Field("label", "label", "text", "", "the prompter's word for the object"),
        Field(f"area_{area}", f"area_{area}", "real", area, "area, holes subtracted"),
        Field(f"area_pm_{area}", f"areapm_{area}", "real", area, "plus/minus of the area"),
        Field(f"perimeter_{length}", f"perim_{length}", "real", length, "estimated length of the true edge"),
        Field(f"perimeter_pm_{length}", f"perpm_{length}", "real", length, "plus/minus of the perimeter"),
        Field(f"length_{length}", f"len_{length}", "real", length, "long side of the smallest rectangle around it"),
        Field(f"length_pm_{length}", f"lenpm_{length}", "real", length, "plus/minus of the length"),
        Field(f"width_{length}", f"width_{length}", "real", length, "short side of that rectangle"),
        Field(f"width_pm_{length}", f"widpm_{length}", "real", length, "plus/minus of the width"),
        Field(
            "orientation_deg",
            "orient_deg",
            "real",
            "degree",
            "direction of the long side, clockwise from north (from the top of an image without a place), 0 to 180",
        ),
        Field("compactness", "compact", "real", "", "4 pi area / perimeter^2: 1 for a disc, 0.785 for a square"),
        Field(x, x, "real", place, where.format("longitude" if units.on_earth else "x")),
        Field(y, y, "real", place, where.format("latitude" if units.on_earth else "y, downwards,")),
        Field(f"pixel_{length}", f"pixel_{length}", "real", length, "side of a view pixel there: the resolution"),
        Field("score", "score", "real", "", "the segmenter's own estimate of the mask, 0 to 1"),
        Field("agreement", "agreement", "real", "", "how far several sampled answers agree on the object, 0 to 1"),
        Field("probability", "probabil", "real", "", "calibrated probability that it is what was asked for, 0 to 1"),
        Field("unsure", "unsure", "boolean", "", "whether that is below the cut of the calibration"),
        Field("touches_edge", "at_edge", "boolean", "", "whether it touches the edge of the view"),
        Field("parts", "parts", "integer", "", "number of pieces that share no pixel side"),
        Field(
            "seams",
            "seams",
            "text",
            "",
            "why the windows of a large scene do not agree on the object, separated by commas: cut, edge_unseen, unconfirmed, "
            "weak_match, windows_disagree",
        ),
        Field("overlaps", "overlaps", "text", "", "ids of regions whose masks overlapped with it, separated by commas"),
        Field("made_from", "made_from", "text", "", "uids of the earlier regions it was made of, separated by commas"),
        Field("was", "was", "integer", "", "id in the first parent result, where the pixels are the same"),
        Field("result", "result", "text", "", "id of the result"),
        Field("question", "question", "text", "", "what was asked"),
        Field("image", "image", "text", "", "file name of the image"),
        Field("prompter", "prompter", "text", "", "model that answered the question"),
        Field("segmenter", "segmenter", "text", "", "model that drew the masks"),
        Field("pm_level", "pm_level", "text", "", "what the plus/minus covers"),
        Field("pm_method", "pm_method", "text", "", "how values and plus/minus were computed"),
    )


def values_of(region: Region, about: About) -> dict[str, Any]:
    """The attributes of a region by name, rounded as its pixels allow; None where a value is not known."""
    area, length, rounding = region.units.area, region.units.length, region.rounding
    x, y = region.units.centroid

    def size(name: str, measure: Measure | None) -> dict[str, float | None]:
        return {
            f"{name}_{length}": None if measure is None else rounding.length(measure.value),
            f"{name}_pm_{length}": None if measure is None else rounding.length(measure.plus_minus),
        }

    return {
        "uid": uid_of(about.result, region.id),
        "id": region.id,
        "label": plain(region.label, _LABEL) or None,
        f"area_{area}": rounding.area(region.area.value),
        f"area_pm_{area}": rounding.area(region.area.plus_minus),
        **size("perimeter", region.perimeter),
        **size("length", region.length),
        **size("width", region.width),
        "orientation_deg": region.orientation_deg,
        "compactness": None if region.compactness is None else round(region.compactness, 3),
        x: region.centroid[0],
        y: region.centroid[1],
        f"pixel_{length}": significant(region.pixel, 6),
        "score": None if region.score is None else round(region.score, 4),
        "agreement": None if region.agreement is None else round(region.agreement, 4),
        "probability": None if region.probability is None else round(region.probability, 3),
        "unsure": region.unsure,
        "touches_edge": region.touches_edge,
        "parts": region.parts,
        "seams": ",".join(region.seams) or None,
        "overlaps": ",".join(map(str, region.overlaps)) or None,
        "made_from": ",".join(uid_of(each.result, each.id) for each in region.sources) or None,
        "was": region.was,
        "result": about.result or None,
        "question": about.question or None,
        "image": about.image or None,
        "prompter": about.prompter or None,
        "segmenter": about.segmenter or None,
        "pm_level": level_of(region.calibrated) if about.pm_level else None,
        "pm_method": about.pm_method or None,
    }


def uid_of(result: str, id_: int) -> str:
    """A region's id that is unique among all results: `r_6b04b877a692-7`."""
    return f"{result}-{id_}" if result else str(id_)


def known_in(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of the attributes that are not None in all rows: formats without types give the others a wrong one."""
    return {name for row in rows for name, value in row.items() if value is not None}


def only(names: Collection[str], row: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a row with these names, in its order."""
    return {name: value for name, value in row.items() if name in names}


def typed(values: Mapping[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """The values in the order and with the types of the fields: a whole number in a real field is written as 3.0."""
    return {
        field.name: float(value) if field.kind == "real" and value is not None else value
        for field in fields
        for value in (values[field.name],)
    }
