"""`segment`, `refine` and `describe`: the commands of `t2s-agent` as functions, with the same options by the same names."""

from collections.abc import Callable, Iterable, Sequence
from operator import index
from pathlib import Path
from typing import Literal

from t2s_agent import pipeline
from t2s_agent.api.engine import engine_for
from t2s_agent.api.naming import add_place_hints, image_named, is_result, result_id, stretch_text
from t2s_agent.api.result import Result
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Description, Refinement
from t2s_agent.results.record import Record

Box = Sequence[float]  # west, south, east, north in degrees, or xmin, ymin, xmax, ymax in another reference system
Points = Sequence[tuple[float, float]]


def segment(
    image: Path | str,
    question: str,
    *,
    bbox: Box | None = None,
    bbox_crs: str | None = None,
    bands: str | None = None,
    stretch: Result | Path | str | None = None,
    union: bool = False,
    min_area_m2: float = 0.0,
    mode: Literal["auto", "overview", "full"] = "auto",
    gsd_m: float | Literal["native"] | None = None,
    max_windows: int | None = None,
    max_seconds: float | None = None,
    max_tokens: int | None = None,
    max_size: int | None = None,
    prompter: str | None = None,
    segmenter: str | None = None,
    style: str | None = None,
    samples: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    sensor: str | None = None,
    height_m: float | None = None,
    trust_sidecars: bool | None = None,
    store: Path | str | None = None,
    engine: pipeline.Engine | None = None,
    progress: Callable[[str], None] = pipeline.no_progress,
) -> Result:
    """Answers a question about an image: regions on the ground, measured and stored.

    `image` is a GeoTIFF, JPEG 2000, PNG, JPEG or WebP file. `bbox` is west, south, east, north in degrees, or a box in the
    reference system `bbox_crs`: a code such as `EPSG:32631`, `image` for the image's own, or `pixels`. `bands` are shown as red,
    green and blue, by number or name (`"4,3,2"`, `"nir,red,green"`), or a composite: `true`, `false`, `swir`, `pan`, `sar`. `stretch` says
    which stored values are shown black and white: `"200:3000"`, three such ranges for the bands shown (`"200:3000,150:2800,100:2500"`),
    or the stretch of a result or of another image, so that two parts of one place are asked alike. `union` makes one region of all; `min_area_m2` leaves out smaller ones (square pixels where the image has no place on Earth).

    `mode` `overview` looks once at all of it, `full` at windows in full resolution (or at `gsd_m` metres a pixel), `auto` at windows
    where an overview would be too coarse, coarser ones where all that is asked for is large (`gsd_m="native"`: in full resolution); no more than `max_windows`, `max_seconds` and `max_tokens` are spent on windows, and the
    result says what was not reached (`partly`): the same call with more goes on from there. `max_size` is the longer side in pixels
    of what the models see at once. `prompter`, `segmenter`, `style`, `samples`, `seed`, `device`, `sensor`, `height_m`,
    `trust_sidecars` and `store` go over the user's settings, as on the command line; leave them out where an `engine` is given. `progress` is called with
    a few words before each step.

    Nothing found is a result with the status `empty`. Raises T2SError: `image_not_found`, `image_unreadable`, `bbox_outside`,
    `argument_invalid`, `model_unavailable`, `answer_unparsable` ...

    >>> import t2s_agent
    >>> tanks = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?")
    >>> tanks.status, tanks.question, len(tanks.regions)
    ('found', 'Where are the storage tanks?', 7)
    >>> all(region.area.plus_minus > 0 for region in tanks.regions)
    True
    """
    engine = engine_for(
        engine,
        max_size=max_size,
        prompter=prompter,
        segmenter=segmenter,
        style=style,
        samples=samples,
        seed=seed,
        device=device,
        sensor=sensor,
        height_m=height_m,
        trust_sidecars=trust_sidecars,
        store=store,
    )
    bbox = _box(bbox, bbox_crs)
    path = image_named(str(image), engine.settings.roots)
    with add_place_hints(engine, path, [bbox] if bbox else [], option="bbox_crs", crs=bbox_crs):
        record = pipeline.segment(
            engine,
            path,
            question,
            bbox=bbox,
            bbox_crs=bbox_crs,
            bands=bands,
            stretch=None
            if stretch is None
            else stretch_text(engine, stretch.id if isinstance(stretch, Result) else str(stretch)),
            merge="union" if union else "instances",
            min_area_m2=min_area_m2,
            mode=mode,
            gsd_m=gsd_m,
            max_windows=max_windows,
            max_seconds=max_seconds,
            max_tokens=max_tokens,
            progress=progress,
        )
    return Result(engine, record)


def refine(
    result: Result | str,
    instruction: str = "",
    *,
    point: Points = (),
    not_point: Points = (),
    box: Box | None = None,
    crs: str | None = None,
    pixels: bool = False,
    keep: Sequence[int] = (),
    drop: Sequence[int] = (),
    with_: Result | str | None = None,
    operation: Literal["union", "intersection", "difference"] | None = None,
    within_m: float | None = None,
    beyond_m: float | None = None,
    min_area_m2: float = 0.0,
    max_area_m2: float | None = None,
    min_length_m: float = 0.0,
    max_length_m: float | None = None,
    min_probability: float = 0.0,
    smooth_m: float = 0.0,
    sort_by: str = "",
    descending: bool = False,
    first: int = 0,
    prompter: str | None = None,
    segmenter: str | None = None,
    samples: int | None = None,
    device: str | None = None,
    store: Path | str | None = None,
    engine: pipeline.Engine | None = None,
    progress: Callable[[str], None] = pipeline.no_progress,
) -> Result:
    """A new result from an earlier one: corrected, filtered, combined, or reasoned over again. The earlier one stays as it is.

    `result` and `with_` are results or their ids. `point` and `not_point` are lists of places that belong, or do not belong, to a
    region; `box` adds the object in it: in degrees, in the reference system `crs`, or with `pixels` in pixels of the image (x right,
    y down). `keep` and `drop` are ids. `within_m` and `beyond_m` keep what lies at most, or more than, so many metres from the
    nearest region of `with_`, edge to edge. `min_probability` (0 to 1) leaves out regions that are less likely what was asked for, where
    a calibration says how likely. Lengths and areas are in pixels where the image has no place on Earth, and a warning
    says so. The order of the work is that of `t2s_agent.pipeline.Refinement`. Only a free `instruction` asks a model again.

    Without an `engine`, that of `result` is used unless options of models or `store` are given.
    Raises T2SError: `result_unknown`, `region_unknown`, `argument_invalid`, `bbox_outside`, `no_georeference`, `image_unreadable`
    where the image is no longer what it was.

    >>> import t2s_agent
    >>> tanks = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?")
    >>> fewer = t2s_agent.refine(tanks, drop=[3])
    >>> len(fewer.regions), fewer.parents == (tanks.id,)
    (6, True)
    >>> [region.was for region in fewer.regions]
    [1, 2, 4, 5, 6, 7]
    """
    chosen = _engine_of(
        result, engine, prompter=prompter, segmenter=segmenter, samples=samples, device=device, store=store
    )
    positive, negative = _points("point", point), _points("not_point", not_point)
    around = None if box is None else _four(box)
    parent = chosen.store.load(_id(chosen, result))
    places: list[Sequence[float]] = [*positive, *negative, *([around] if around else [])]
    if crs and (pixels or not places):
        raise T2SError(
            "argument_invalid", f"crs {crs} {'and pixels' if pixels else 'without points or a box'}", "Leave crs out"
        )
    if crs:
        positive, negative, around = in_pixels(chosen, parent, crs, positive, negative, around)
    how = Refinement(
        instruction=instruction,
        positive=positive,
        negative=negative,
        box=around,
        keep=_ids("keep", keep),
        drop=_ids("drop", drop),
        other="" if with_ is None else _id(chosen, with_),
        operation=operation,
        within_m=within_m,
        beyond_m=beyond_m,
        min_area_m2=min_area_m2,
        max_area_m2=max_area_m2,
        min_length_m=min_length_m,
        max_length_m=max_length_m,
        min_probability=min_probability,
        smooth_m=smooth_m,
        sort_by=sort_by,
        descending=descending,
        first=_whole("first", first),
        pixels=pixels or bool(crs),
    )
    with add_place_hints(chosen, parent.scene.path, () if pixels else places, option="crs", crs=crs):
        return Result(chosen, pipeline.refine(chosen, parent.id, how, progress=progress))


def describe(
    subject: Result | Path | str,
    question: str = "",
    *,
    region: int = 0,
    bbox: Box | None = None,
    bbox_crs: str | None = None,
    bands: bool = False,
    with_: Result | str | None = None,
    pairs_within_m: float | None = None,
    columns: Sequence[str] = (),
    sort_by: str = "",
    descending: bool = False,
    first: int = 0,
    prompter: str | None = None,
    device: str | None = None,
    sensor: str | None = None,
    height_m: float | None = None,
    trust_sidecars: bool | None = None,
    store: Path | str | None = None,
    engine: pipeline.Engine | None = None,
    progress: Callable[[str], None] = pipeline.no_progress,
) -> Description:
    """What is measured of a result, one of its regions (`region`, an id) or an image, and what a model says to a `question`.

    `measured` holds numbers with their unit in the name and a plus/minus (`pm`) beside them; `claimed` is a model's answer, which
    nobody has checked. `with_` is another result: the nearest region there of each region, and the difference of the totals.
    `columns`, `sort_by`, `descending` and `first` make the `table` of regions; `bands` adds statistics of the image's bands.
    Raises T2SError: `result_unknown`, `region_unknown`, `image_not_found`, `argument_invalid`, `no_georeference` ...

    >>> import t2s_agent
    >>> tanks = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?")
    >>> facts = t2s_agent.describe(tanks, columns=["length"], sort_by="area", descending=True, first=2)
    >>> facts.measured["count"], facts.table.columns[:3], len(facts.table.rows)
    (7, ('id', 'area_m2', 'pm'), 2)
    >>> t2s_agent.describe("demo-out/harbour.tif").measured["gsd_m"]
    0.50015
    """
    chosen = _engine_of(
        subject,
        engine,
        prompter=prompter,
        device=device,
        sensor=sensor,
        height_m=height_m,
        trust_sidecars=trust_sidecars,
        store=store,
    )
    bbox = _box(bbox, bbox_crs)
    named = isinstance(subject, Result) or (isinstance(subject, str) and is_result(subject))
    image = "" if named else image_named(str(subject), chosen.settings.roots)
    with add_place_hints(chosen, image, [bbox] if bbox else [], option="bbox_crs", crs=bbox_crs):
        return pipeline.describe(
            chosen,
            result_id=_id(chosen, subject) if isinstance(subject, Result | str) and named else "",
            region_id=region,
            image=image,
            bbox=bbox,
            bbox_crs=bbox_crs,
            question=question,
            bands=bands,
            other="" if with_ is None else _id(chosen, with_),
            pairs_within_m=pairs_within_m,
            columns=tuple(columns),
            sort_by=sort_by,
            descending=descending,
            first=first,
            progress=progress,
        )


def in_pixels(
    engine: pipeline.Engine,
    result: Record,
    crs: str,
    positive: tuple[tuple[float, float], ...],
    negative: tuple[tuple[float, float], ...],
    box: tuple[float, float, float, float] | None,
) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...], tuple[float, float, float, float] | None]:
    """Points and a box of a reference system in pixels of a result's image, which a record keeps as well as degrees."""
    from t2s_agent.scene.places import pixel_box, pixel_points

    with engine.scene_of(result) as scene:
        return (
            pixel_points(scene, positive, crs),
            pixel_points(scene, negative, crs),
            pixel_box(scene, box, crs) if box else None,
        )


def _engine_of(subject: object, engine: pipeline.Engine | None, **options: object) -> pipeline.Engine:
    """The engine that was given; that of a result, unless options say otherwise; or the one of the user's settings."""
    if engine is None and isinstance(subject, Result) and all(value is None for value in options.values()):
        return subject.engine
    return engine_for(engine, **options)


def _id(engine: pipeline.Engine, result: Result | str) -> str:
    return result.id if isinstance(result, Result) else result_id(engine.store, result)


def _box(box: Box | None, crs: str | None) -> Box | None:
    """The box as plain numbers. What its four numbers mean is checked where the image is known."""
    if box is None:
        if crs:
            raise T2SError("argument_invalid", f"bbox_crs {crs} without a box", "Add bbox=(xmin, ymin, xmax, ymax)")
        return None
    return _four(box)


def _points(name: str, points: Points) -> tuple[tuple[float, float], ...]:
    """Points of lists, tuples or arrays as plain numbers."""
    try:
        return tuple((float(x), float(y)) for x, y in points)
    except (TypeError, ValueError) as error:
        raise T2SError(
            "argument_invalid", f"{name} = {points!r} is not a list of points", f"Write {name}=[(4.338, 51.911)]"
        ) from error


def _four(box: Box) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(each) for each in box)
    except (TypeError, ValueError) as error:
        raise T2SError(
            "bbox_invalid", f"the box {box!r} is not four numbers", "Give west, south, east, north"
        ) from error
    return west, south, east, north


def _ids(name: str, ids: Iterable[int]) -> tuple[int, ...]:
    """Ids of a list, an array or a column of a table as plain numbers."""
    try:
        return tuple(index(each) for each in ids)
    except TypeError as error:
        raise T2SError("argument_invalid", f"{name} = {ids!r} is not a list of ids", f"Write {name}=[1, 2]") from error


def _whole(name: str, number: int) -> int:
    try:
        return index(number)
    except TypeError as error:
        raise T2SError("argument_invalid", f"{name} = {number!r} is no whole number", "Give one, such as 3") from error
