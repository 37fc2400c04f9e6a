"""Measures a result, a region or an image, lists regions and images, and asks a model about a picture."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from t2s_agent.bounds import LONGEST_QUERY
from t2s_agent.errors import T2SError
from t2s_agent.results.files import REGIONS, uri_of
from t2s_agent.text import model_name, plain

from .answers import MOST_ROWS, Answer, Column, SortBy, Status, operation_words, page_of, size_of, warnings_for_agents
from .distances import require_distance
from .images import add_image_hints, image_facts, image_name
from .pictures import image_picture, region_picture, result_picture
from .sensing import NO_HEIGHT, HeightM, Sensor, with_sensing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from t2s_agent.pipeline import Description, Engine
    from t2s_agent.regions.table import Table
    from t2s_agent.results.record import Record

# ruff: noqa: B006, RUF012 (empty lists as defaults are never written to; pydantic copies the defaults of fields)
_BANDS, _IMAGES, _ROWS = 12, 40, 50  # in one answer; rows unless `first` or `detail` says how many
_LISTING = ("columns", "sort_by", "descending", "first", "first_region")
_COMPARING = ("combine_with", "pairs_within_m")
_IMAGE_COLUMNS = ("image", "width_px", "height_px", "gsd_m", "crs", "bbox", "bands", "sensor", "error")
_POINTS = 300  # corners of an outline in one answer


class _LeftOut(str):
    """The default of an argument that was left out; distinguishes it from an argument given as ""."""

    __slots__ = ()


_NONE = _LeftOut("")


class DescribeAnswer(Answer):
    """`measured` has computed values; `claimed` is the text of the model `claimed_by` about the picture."""

    status: Status | Literal["", "running"] = ""
    result_id: str = ""
    region_id: int = 0
    query: str = ""
    image: str = ""
    operation: str = ""
    parents: list[str] = []
    measured: dict[str, Any] = {}
    total: int = 0
    columns: list[str] = []
    rows: list[list[Any]] = []
    outline: list[list[list[float]]] = []
    next: str = ""
    warnings: list[str] = []
    claimed: str = ""
    claimed_by: str = ""
    job: str = ""


def describe_region(
    engine: "Engine",
    result_id: Annotated[str, Field(description="describe this result")] = _NONE,
    region_id: Annotated[int, Field(ge=0, description="or this region of it; 0 = all")] = 0,
    image: Annotated[str, Field(description="or an image, instead of a result")] = _NONE,
    bbox: Annotated[list[float], Field(description="part of the image: [west, south, east, north] in degrees")] = [],
    combine_with: Annotated[
        str, Field(description="distances and difference to this result; the same result_id: to neighbours in it")
    ] = "",
    pairs_within_m: Annotated[
        float, Field(ge=-1, description="count pairs at most so far apart; -1 = off, 0 = touching")
    ] = -1,
    columns: Annotated[list[Column], Field(description="list regions with these besides id, area, pm and place")] = [],
    sort_by: Annotated[SortBy, Field(description="list regions in this order")] = "none",
    descending: Annotated[bool, Field(description="the largest first")] = False,
    first: Annotated[int, Field(ge=0, description="list only the first so many; 0 = all that fit")] = 0,
    detail: Annotated[
        Literal["facts", "regions", "outline"], Field(description="regions: list them; outline: corners of region_id")
    ] = "facts",
    first_region: Annotated[int, Field(ge=1, description="list from this place on, also images")] = 1,
    bands: Annotated[bool, Field(description="statistics of each band too")] = False,
    sensor: Sensor = "",
    height_m: HeightM = NO_HEIGHT,
    question: Annotated[str, Field(max_length=LONGEST_QUERY, description="ask a model about this part")] = "",
    preview: Annotated[bool, Field(description="send a picture of it")] = False,
    progress: "Callable[[str], None]" = lambda _: None,
) -> DescribeAnswer:
    """Measure a result, one region, or an image. A result: count, sum, mean, median, smallest and largest area (columns length, width, perimeter: of these too), share of the image, distances between neighbours. combine_with: each region's nearest one there, smallest, median and largest distance with ids and places (at) of the pair, and by how much the total areas differ ('undecided' where the plus/minus covers zero). Without arguments: the images, with size, CRS, resolution and bounds."""
    require_distance("pairs_within_m", pairs_within_m)
    given: dict[str, Any] = {
        "region_id": region_id,
        "bbox": bbox,
        "combine_with": combine_with,
        "pairs_within_m": pairs_within_m >= 0,
        "columns": columns,
        "sort_by": "" if sort_by == "none" else sort_by,
        "descending": descending,
        "first": first,
        "detail": detail != "facts",
        "first_region": first_region > 1,
        "bands": bands,
        "sensor": sensor.strip(),
        "height_m": height_m > NO_HEIGHT,
        "question": question,
        "preview": preview,
    }
    if not (result_id or image):
        if not isinstance(result_id, _LeftOut) and isinstance(
            image, _LeftOut
        ):  # clients that fill in every argument send both
            raise T2SError(
                "argument_invalid", "result_id is empty", "Give a result_id, or no argument to list the images"
            )
        _refuse(given, set(given) - {"first_region"}, "neither result_id nor image is given")
        return _images(engine, first_region)
    if result_id and image:
        raise T2SError("argument_invalid", "result_id and image are both given", "Name one of them")
    if image:
        _refuse(given, {"region_id", "detail", *_COMPARING, *_LISTING}, "it goes with result_id")
        engine = with_sensing(engine, sensor, height_m)
        return _image_answer(engine, image_name(image), bbox, bands, question, preview, progress)
    _refuse(given, {"bbox", "sensor", "height_m"}, "it goes with image")
    result = engine.store.load(result_id)
    if detail == "outline":
        _refuse(given, {"question", "bands", *_COMPARING, *_LISTING}, "it does not go with detail='outline'")
        return _outline_answer(engine, result, region_id)
    if region_id:
        _refuse(given, {"detail", *_LISTING}, "it lists regions, and region_id is one")
    from t2s_agent.pipeline import describe

    listed = not region_id and any(given[name] for name in ("detail", "combine_with", *_LISTING))
    most = min(first or (MOST_ROWS if detail == "regions" else _ROWS), MOST_ROWS)
    description = describe(
        engine,
        result_id=result.id,
        region_id=region_id,
        question=question,
        bands=bands,
        other=combine_with,
        pairs_within_m=pairs_within_m if pairs_within_m >= 0 else None,
        columns=columns,
        sort_by=given["sort_by"],
        descending=descending,
        first=first,
        skip=first_region - 1 if listed else 0,
        most=most if listed else 0,
        facts=bool(region_id) or first_region == 1,
        progress=progress,
    )
    answer = _answer(description, result, region_id)
    if listed and description.table:
        _add_rows(answer, result, description.table, first_region, given)
    if preview:
        answer._picture = region_picture(engine, result, region_id) if region_id else result_picture(engine, result)
    return answer


def _refuse(given: dict[str, Any], names: "Collection[str]", because: str) -> None:
    """Raises `argument_invalid` for an argument that would have no effect."""
    for name in given:
        if name in names and given[name]:
            raise T2SError("argument_invalid", f"{name} cannot be used here: {because}", f"Leave {name} out")


def _answer(description: "Description", result: "Record | None" = None, region_id: int = 0) -> DescribeAnswer:
    measured = {name: value for name, value in description.measured.items() if value not in (None, "", [])}
    if measured.get("scene_px_per_view_px") == 1:  # the models saw the image as it is
        measured = {n: v for n, v in measured.items() if n not in ("view_gsd_m", "scene_px_per_view_px")}
    facts: dict[str, Any] = {}
    if result is not None:
        facts |= {"status": result.status, "result_id": result.id}
        facts |= {"region_id": region_id} if region_id else {}
        facts |= {"query": plain(result.query, 200), "image": plain(result.scene.name, 120)}
        if result.parents:
            facts |= {"operation": operation_words(result), "parents": list(result.parents)}
    else:
        facts["image"] = plain(description.subject, 200)
    remarks = [*measured.pop("remarks", []), *(result.warnings if result is not None and not region_id else ())]
    rows = measured.get("bands", [])
    bands, indices = (
        [row for row in rows if isinstance(row["band"], int)],
        [r for r in rows if isinstance(r["band"], str)],
    )
    if len(bands) > _BANDS:
        measured |= {"bands": [*bands[:_BANDS], *indices], "bands_left_out": len(bands) - _BANDS}
    for band in measured.get("bands", []):
        band |= {name: plain(str(band[name]), most) for name, most in (("name", 60), ("scaling", 400)) if name in band}
    for name, most in (("crs", 80), ("label", 80)):
        if name in measured:
            measured[name] = plain(str(measured[name]), most)
    bounds = measured.pop("bounds_lonlat", None)
    facts["measured"] = measured | ({"bbox": bounds} if bounds else {})
    if warnings := warnings_for_agents(remarks):
        facts["warnings"] = warnings
    if description.question:
        facts |= {"claimed": plain(description.claimed, 2_000), "claimed_by": model_name(description.claimed_by)}
    return DescribeAnswer(**facts)


def _add_rows(answer: DescribeAnswer, result: "Record", table: "Table", start: int, given: dict[str, Any]) -> None:
    """Adds the rows of the table, which begins with row `start` of the list, as many as fit, and the call for the next page.

    Later pages have only rows, because the first page has the measurements.
    """
    total = min(table.total, given["first"] or table.total)
    if start > 1:
        if start > max(1, total):
            raise T2SError(
                "region_unknown",
                f"the list has {total} regions, none in place {start}",
                f"Give first_region from 1 to {max(1, total)}",
            )
        for name in ("measured", "query", "image", "operation", "parents", "warnings"):
            answer.__pydantic_fields_set__.discard(name)
    answer.total = total
    page = page_of(table.columns, table.rows, spent=size_of(answer.facts()))
    answer.columns, answer.rows = page["columns"], page["rows"]
    after = start + len(answer.rows)
    if after <= total:
        same = {name: given[name] for name in ("combine_with", "columns", "first") if given[name]}
        words = [f'result_id="{result.id}"', 'detail="regions"', f"first_region={after}"]
        words += [f"{name}={json.dumps(value)}" for name, value in same.items()]
        if given["sort_by"]:
            words.append(f'sort_by="{given["sort_by"]}"' + (", descending=true" if given["descending"] else ""))
        answer.next = f"describe_region({', '.join(words)})"


def _image_answer(
    engine: "Engine",
    image: str,
    bbox: list[float],
    bands: bool,
    question: str,
    preview: bool,
    progress: "Callable[[str], None]",
) -> DescribeAnswer:
    from t2s_agent.pipeline import describe

    with add_image_hints(engine, image, [bbox] if bbox else []):
        description = describe(
            engine, image=image, bbox=bbox or None, question=question, bands=bands, progress=progress
        )
    answer = _answer(description)
    if preview:
        answer._picture = image_picture(engine, image, bbox)
    return answer


def _outline_answer(engine: "Engine", result: "Record", region_id: int) -> DescribeAnswer:
    from t2s_agent.results.outlines import StoredRegions

    regions = StoredRegions(engine.store.artifact(result.id, REGIONS))
    try:
        geometry = regions.by_id(region_id).geometry
    except T2SError as error:
        if error.code != "region_unknown":
            raise
        raise error.changed(fix=f"Give region_id. {error.fix}") from error
    rings = [
        [[x, y] for x, y in ring.coords]
        for part in getattr(geometry, "geoms", [geometry])
        for ring in (part.exterior, *part.interiors)
    ]
    shown_rings, left = [], _POINTS
    for ring in rings:
        if len(ring) <= left:
            shown_rings.append(ring)
            left -= len(ring)
    facts: dict[str, Any] = {
        "status": result.status,
        "result_id": result.id,
        "region_id": region_id,
        "outline": shown_rings,
    }
    if len(shown_rings) < len(rings):
        whole = uri_of(result.id, REGIONS)
        facts["next"] = f"the outline is too long: {len(rings) - len(shown_rings)} rings are left out; {whole} has all"
    return DescribeAnswer(**facts)


def _images(engine: "Engine", first: int) -> DescribeAnswer:
    from t2s_agent.scene.listing import images_in

    listing = images_in(engine.settings.roots)
    names = listing.names
    table = [image_facts(engine, name) for name in names[first - 1 : first - 1 + _IMAGES]]
    columns = [c for c in _IMAGE_COLUMNS if any(c in row for row in table)]
    rows = [[row.get(column) for column in columns] for row in table]
    facts: dict[str, Any] = {"total": len(names), **page_of(columns, rows, spent=200)}
    if missing := listing.remark():
        facts["warnings"] = [plain(missing, 240)]
    if first - 1 + len(facts["rows"]) < len(names):
        facts["next"] = f"describe_region(first_region={first + len(facts['rows'])})"
    return DescribeAnswer(**facts)
