"""Finds what a question asks for in an overhead image, and measures it."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from t2s_agent.bounds import LONGEST_QUERY

from .answers import RegionsAnswer, regions_answer
from .images import helpful, image_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2s_agent.pipeline import Workshop


def reason_segment(
    shop: "Workshop",
    image: Annotated[str, Field(description="image name; describe_region() without arguments lists them")],
    query: Annotated[str, Field(max_length=LONGEST_QUERY, description="what to find, in words: 'ships at the quay'")],
    bbox: Annotated[
        list[float],
        Field(description="look only here: [west, south, east, north] in degrees; [] = whole image"),
    ] = [],  # noqa: B006 (never written to)
    max_regions: Annotated[int, Field(ge=1, le=500, description="regions listed in the answer; all are kept")] = 50,
    min_area_m2: Annotated[float, Field(ge=0, description="leave out smaller regions")] = 0,
    preview: Annotated[bool, Field(description="send a picture with outlines")] = True,
    progress: "Callable[[str], None]" = lambda _: None,
) -> RegionsAnswer:
    """Find things in an overhead image by a question. Gives a result_id and regions with id, area with plus/minus, centroid and bbox. status 'empty' means: looked, none there. Narrow, combine or correct the result with refine_mask; measure or page it with describe_region. 'Which tanks are within 100 m of the quay?': reason_segment tanks, reason_segment quay, then refine_mask(tanks' result_id, combine_with=quay's, within_m=100)."""
    from t2s_agent.pipeline import segment

    name = image_name(image)
    with helpful(shop, name, [bbox] if bbox else []):
        result = segment(shop, name, query, bbox=bbox or None, min_area_m2=min_area_m2, progress=progress)
    return regions_answer(shop, result, max_regions, preview)
