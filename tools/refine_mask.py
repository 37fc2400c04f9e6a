"""Makes a new result from an earlier one: corrected, filtered, combined, or reasoned over again."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from t2s_agent.bounds import LONGEST_QUERY, MOST_IDS, MOST_POINTS
from t2s_agent.errors import T2SError

from .answers import RegionsAnswer, regions_answer
from .images import helpful

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2s_agent.pipeline import Workshop

# Empty lists as defaults are never written to.
# ruff: noqa: B006


def refine_mask(
    shop: "Workshop",
    result_id: Annotated[str, Field(description="the result to start from")],
    instruction: Annotated[
        str, Field(max_length=LONGEST_QUERY, description="look again, in words: 'only the two largest'")
    ] = "",
    positive_points: Annotated[
        list[list[float]], Field(max_length=MOST_POINTS, description="[[lon, lat], ...] that belong to a region")
    ] = [],
    negative_points: Annotated[
        list[list[float]], Field(max_length=MOST_POINTS, description="[[lon, lat], ...] that do not")
    ] = [],
    box: Annotated[list[float], Field(description="add the object in [west, south, east, north], degrees")] = [],
    keep: Annotated[list[int], Field(max_length=MOST_IDS, description="keep only these region ids of result_id")] = [],
    drop: Annotated[list[int], Field(max_length=MOST_IDS, description="remove these region ids")] = [],
    combine_with: Annotated[str, Field(description="another result_id, for operation or within_m")] = "",
    operation: Annotated[
        Literal["none", "union", "intersection", "difference"], Field(description="with combine_with's regions")
    ] = "none",
    within_m: Annotated[
        float,
        Field(
            ge=0,
            description="keep regions within so many metres, edge to edge, of combine_with's; 0 = off",
        ),
    ] = 0,
    min_area_m2: Annotated[float, Field(ge=0, description="remove smaller regions")] = 0,
    smooth_m: Annotated[float, Field(ge=0, description="smooth outlines by this radius in metres")] = 0,
    max_regions: Annotated[int, Field(ge=1, le=500)] = 50,
    preview: bool = True,
    progress: "Callable[[str], None]" = lambda _: None,
) -> RegionsAnswer:
    """Make a new result from an earlier one, which stays: filter by ids, area or distance, combine two results, correct by points, or look again in words. Regions are numbered again; `was` is the id in result_id. Images without georeference: pixels instead of degrees and metres."""
    from t2s_agent.pipeline import Refinement, refine

    if (operation != "none" or within_m) and not combine_with:
        raise T2SError(
            "argument_invalid",
            f"{'operation' if operation != 'none' else 'within_m'} without combine_with",
            "Give the other result's id as combine_with",
        )
    how = Refinement(
        instruction=instruction,
        positive=_pairs("positive_points", positive_points),
        negative=_pairs("negative_points", negative_points),
        box=_four(box),
        keep=tuple(keep),
        drop=tuple(drop),
        other=combine_with,
        operation=None if operation == "none" else operation,
        within_m=within_m or None,
        min_area_m2=min_area_m2,
        smooth_m=smooth_m,
    )
    parent = shop.store.load(result_id, shop.owner)
    how = replace(
        how, pixels=not parent.located
    )  # where there are no degrees, places are pixels, as the description says
    scene = parent.scene
    places = [*positive_points, *negative_points, *([box] if box else [])]
    with helpful(shop, scene.path, places):
        result = refine(shop, result_id, how, progress=progress)
    return regions_answer(shop, result, max_regions, preview)


def _pairs(name: str, points: list[list[float]]) -> tuple[tuple[float, float], ...]:
    for point in points:
        if len(point) != 2:
            raise T2SError(
                "argument_invalid", f"{name} holds {point}, which is no [lon, lat]", "Write [[4.35, 51.87], ...]"
            )
    return tuple((point[0], point[1]) for point in points)


def _four(box: list[float]) -> tuple[float, float, float, float] | None:
    if not box:
        return None
    if len(box) != 4:
        raise T2SError("bbox_invalid", f"box {box} is not four numbers", "Give [west, south, east, north] in degrees")
    return box[0], box[1], box[2], box[3]
