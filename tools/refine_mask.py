"""Makes a new result from an earlier one: corrects, filters, combines it, or asks a model again."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from t2s_agent.bounds import LONGEST_QUERY, MOST_POINTS
from t2s_agent.errors import T2SError

from .answers import Column, RegionsAnswer, SortBy, regions_answer
from .distances import require_distance
from .images import add_image_hints

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2s_agent.pipeline import Engine

# Empty lists as defaults are never written to.
# ruff: noqa: B006 (empty lists as defaults are never written to)


def refine_mask(
    engine: "Engine",
    result_id: Annotated[str, Field(description="the result to start from; it stays")],
    instruction: Annotated[
        str, Field(max_length=LONGEST_QUERY, description="a model looks again, in words: 'only those with white roofs'")
    ] = "",
    positive_points: Annotated[
        list[list[float]],
        Field(
            max_length=MOST_POINTS,
            description="[[lon, lat], ...] that belong to a region; in none: add the object there",
        ),
    ] = [],
    negative_points: Annotated[
        list[list[float]], Field(max_length=MOST_POINTS, description="[[lon, lat], ...] that do not")
    ] = [],
    box: Annotated[list[float], Field(description="add the object in [west, south, east, north], degrees")] = [],
    keep: Annotated[list[int], Field(description="keep only these region ids of result_id")] = [],
    drop: Annotated[list[int], Field(description="remove these region ids")] = [],
    combine_with: Annotated[
        str,
        Field(
            description="another result_id (the same: its own neighbours) for operation, within_m, beyond_m or sort_by='nearest'; adds nearest_m, nearest_id"
        ),
    ] = "",
    operation: Annotated[
        Literal["none", "union", "intersection", "difference"],
        Field(description="with combine_with; regions stay whole objects, union joins those that overlap"),
    ] = "none",
    within_m: Annotated[
        float,
        Field(
            ge=-1,
            description="keep regions within so many metres of combine_with's, edge to edge; 0 = touching, -1 = off",
        ),
    ] = -1,
    beyond_m: Annotated[float, Field(ge=-1, description="keep regions farther away than this; -1 = off")] = -1,
    min_area_m2: Annotated[float, Field(ge=0, description="remove smaller regions")] = 0,
    max_area_m2: Annotated[float, Field(ge=0, description="remove larger ones; 0 = off")] = 0,
    min_length_m: Annotated[float, Field(ge=0, description="remove shorter ones")] = 0,
    max_length_m: Annotated[float, Field(ge=0, description="remove longer ones; 0 = off")] = 0,
    min_probability: Annotated[
        float, Field(ge=0, le=1, description="remove regions less likely to be what was asked for")
    ] = 0,
    sort_by: Annotated[
        SortBy, Field(description="number regions in this order; nearest: by distance to combine_with's")
    ] = "none",
    descending: Annotated[bool, Field(description="the largest first")] = False,
    first: Annotated[
        int,
        Field(ge=0, description="keep only the first so many; the largest: sort_by='area', descending=true, first=1"),
    ] = 0,
    smooth_m: Annotated[float, Field(ge=0, description="smooth outlines by this radius")] = 0,
    columns: Annotated[list[Column], Field(description="more columns of rows")] = [],
    max_regions: Annotated[int, Field(ge=1, le=500, description="rows in the answer")] = 50,
    preview: Annotated[bool, Field(description="send a picture")] = True,
    progress: "Callable[[str], None]" = lambda _: None,
) -> RegionsAnswer:
    """Make a new result from an earlier one: filter by ids, size or distance, sort, combine two results, correct by points, or look again in words. Only instruction asks a model. Rows are numbered again; was = the id in result_id. left_out counts what each filter took away; changes says what a correction did to each region. Images without georeference: pixels instead of degrees and metres."""
    from t2s_agent.pipeline import Refinement, refine_with_picture

    if not result_id.strip():
        raise T2SError("argument_invalid", "result_id is empty", "Give the result_id of an earlier answer")
    for name, value in (("within_m", within_m), ("beyond_m", beyond_m)):
        require_distance(name, value)
    asked = {
        "operation": operation != "none",
        "within_m": within_m >= 0,
        "beyond_m": beyond_m >= 0,
        "sort_by='nearest'": sort_by == "nearest",
    }
    if not combine_with and (name := next((name for name in asked if asked[name]), "")):
        raise T2SError(
            "argument_invalid",
            f"{name} without combine_with",
            "Give another result's id, or this one's, as combine_with",
        )
    parent = engine.store.load(result_id)
    how = Refinement(
        instruction=instruction,
        positive=_pairs("positive_points", positive_points),
        negative=_pairs("negative_points", negative_points),
        box=_four(box),
        keep=tuple(keep),
        drop=tuple(drop),
        other=combine_with,
        operation=None if operation == "none" else operation,
        within_m=within_m if within_m >= 0 else None,
        beyond_m=beyond_m if beyond_m >= 0 else None,
        min_area_m2=min_area_m2,
        max_area_m2=max_area_m2 or None,
        min_length_m=min_length_m,
        max_length_m=max_length_m or None,
        sort_by="" if sort_by == "none" else sort_by,
        descending=descending,
        first=first,
        smooth_m=smooth_m,
        min_probability=min_probability,
        pixels=not parent.units.on_earth,  # without georeference, positions are pixels, as the description says
    )
    places = [*positive_points, *negative_points, *([box] if box else [])]
    with add_image_hints(engine, parent.scene.path, places):
        made = refine_with_picture(engine, result_id, how, progress=progress)
    return regions_answer(engine, made, most=max_regions, preview=preview, columns=columns, other=combine_with)


def _pairs(name: str, points: list[list[float]]) -> tuple[tuple[float, float], ...]:
    for point in points:
        if len(point) != 2:
            raise T2SError(
                "argument_invalid", f"{name} has {point}, which is not [lon, lat]", "Write [[4.35, 51.87], ...]"
            )
    return tuple((point[0], point[1]) for point in points)


def _four(box: list[float]) -> tuple[float, float, float, float] | None:
    if not box:
        return None
    if len(box) != 4:
        raise T2SError("bbox_invalid", f"box {box} is not four numbers", "Give [west, south, east, north] in degrees")
    return box[0], box[1], box[2], box[3]
