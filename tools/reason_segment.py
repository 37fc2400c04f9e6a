"""Finds what a question asks for in an overhead image, and measures it."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from t2s_agent.bounds import LONGEST_QUERY

from .answers import Column, RegionsAnswer, regions_answer
from .images import add_image_hints, image_name
from .sensing import NO_HEIGHT, HeightM, Sensor, stretch_name, with_sensing

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2s_agent.pipeline import Engine

# ruff: noqa: B006 (empty lists as defaults are never written to)

_NATIVE = -1  # gsd_m: the resolution of the image


def reason_segment(
    engine: "Engine",
    image: Annotated[str, Field(description="its name; describe_region() lists them")],
    query: Annotated[str, Field(max_length=LONGEST_QUERY, description="what to find, in words: 'ships at the quay'")],
    bbox: Annotated[
        list[float],
        Field(description="look only here: [west, south, east, north] in degrees"),
    ] = [],
    bands: Annotated[
        str,
        Field(description="to show: '4,3,2', 'nir,red,green', false, swir, pan, sar"),
    ] = "",
    stretch: Annotated[
        str,
        Field(description="values shown black:white '200:3000'; or a result_id or image to be shown like"),
    ] = "",
    sensor: Sensor = "",
    height_m: HeightM = NO_HEIGHT,
    min_area_m2: Annotated[float, Field(ge=0, description="leave out smaller regions")] = 0,
    mode: Annotated[
        Literal["auto", "overview", "full"],
        Field(description="overview = one coarse look; full = windows at full resolution; auto = full where needed"),
    ] = "auto",
    gsd_m: Annotated[
        float, Field(ge=-1, description="metres a pixel of windows; 0 = by what is asked for, -1 = the image's")
    ] = 0,
    max_windows: Annotated[int, Field(ge=0, description="look at no more windows; 0 = the server's limit")] = 0,
    columns: Annotated[list[Column], Field(description="more columns of rows")] = [],
    max_regions: Annotated[int, Field(ge=1, le=500, description="rows in the answer; all regions are kept")] = 50,
    preview: Annotated[bool, Field(description="send a picture with outlines and a grid of coordinates")] = True,
    progress: "Callable[[str], None]" = lambda _: None,
) -> RegionsAnswer:
    """Find things in an overhead image by a question. Gives a result_id and one row a region: id, area_m2 with pm (its plus/minus), lon and lat of its centre. status: found; partly = looked too coarsely or not everywhere (windows says how far): give a smaller bbox, or ask again with more max_windows; empty = looked, none there; not_understood = the model does not know what was asked for. thinking and label quote the model. Go on with refine_mask (filter, sort, combine, correct) and describe_region (measure, compare). 'Which tanks are within 100 m of the quay?': reason_segment tanks, reason_segment quay, then refine_mask(tanks' result_id, combine_with=quay's, within_m=100)."""
    from t2s_agent.pipeline import segment_with_picture

    name = image_name(image)
    engine = with_sensing(engine, sensor, height_m)
    shown_like = stretch_name(engine, stretch)
    with add_image_hints(engine, name, [bbox] if bbox else []):
        made = segment_with_picture(
            engine,
            name,
            query,
            bbox=bbox or None,
            bands=bands.strip() or None,
            stretch=shown_like,
            min_area_m2=min_area_m2,
            mode=mode,
            gsd_m="native" if gsd_m == _NATIVE else gsd_m or None,
            max_windows=max_windows or None,
            progress=progress,
        )
    return regions_answer(engine, made, most=max_regions, preview=preview, columns=columns, thinking=True)
