"""Measures a result, a region or an image, lists regions and images, and asks a model about what it shows."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from t2s_agent.bounds import LONGEST_QUERY
from t2s_agent.errors import T2SError
from t2s_agent.text import model_name, plain

from .answers import DEGREES, NOTE, PIXELS, TEXT_BYTES, Answer, page_of, size_of, units_of
from .images import helpful, image_facts, image_name
from .pictures import image_picture, region_picture, result_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2s_agent.pipeline import Workshop
    from t2s_agent.results.record import Result

# ruff: noqa: RUF012 (pydantic copies the defaults of fields)
_BANDS, _IMAGES = 12, 40  # shown in one answer
_POINTS = 300  # corners of an outline shown in one answer


class DescribeAnswer(Answer):
    """`measured` is computed; `claimed` is what the model `claimed_by` says of the picture."""

    status: Literal["described", "running"]
    subject: str = ""
    query: str = ""
    image: str = ""
    units: str = ""
    measured: dict[str, Any] = {}
    total: int = 0
    shown: int = 0
    regions: list[dict[str, Any]] = []  # rows as reason_segment gives them
    outline: list[list[list[float]]] = []
    images: list[dict[str, Any]] = []
    next: str = ""
    files: str = ""
    claimed: str = ""
    claimed_by: str = ""
    note: str = ""
    job: str = ""


def describe_region(
    shop: "Workshop",
    result_id: Annotated[str, Field(description="describe this result")] = "",
    region_id: Annotated[int, Field(ge=0, description="or this region of it; 0 = the whole result")] = 0,
    image: Annotated[str, Field(description="or an image, instead of a result")] = "",
    bbox: Annotated[list[float], Field(description="part of the image: [west, south, east, north] in degrees")] = [],  # noqa: B006 (never written to)
    question: Annotated[
        str, Field(max_length=LONGEST_QUERY, description="ask a model about that part of the picture")
    ] = "",
    detail: Annotated[
        Literal["facts", "regions", "outline"],
        Field(description="regions: list them from first_region on; outline: corners of region_id"),
    ] = "facts",
    first_region: Annotated[int, Field(ge=1, description="for detail='regions', or the first image")] = 1,
    preview: Annotated[bool, Field(description="send a picture of just that")] = False,
    progress: "Callable[[str], None]" = lambda _: None,
) -> DescribeAnswer:
    """Measure a result, one region, or an image: count, areas, perimeter, length, width, orientation, distances to the nearest neighbour, band statistics; with question also what a model claims. Without arguments: the images, with size, CRS, resolution, bounds."""
    if not (result_id or image):
        _refuse(region_id=region_id, bbox=bbox, question=question, because="neither result_id nor image is given")
        return _images(shop, first_region)
    if result_id and image:
        raise T2SError("argument_invalid", "result_id and image are both given", "Name one of them")
    if image:
        _refuse(
            region_id=region_id,
            detail=detail != "facts",
            first_region=first_region > 1,
            because="it goes with result_id",
        )
        return _described_image(shop, image_name(image), bbox, question, preview, progress)
    _refuse(bbox=bbox, because="it goes with image")
    result = shop.store.load(result_id, shop.owner)
    if detail == "outline":
        _refuse(first_region=first_region > 1, question=question, because="it does not go with detail='outline'")
        return _outlined(shop, result, region_id)
    if detail == "regions" or first_region > 1:
        _refuse(region_id=region_id, question=question, because="it does not go with a list of regions")
        return _listed(result, first_region)
    return _described(shop, result, region_id, question, preview, progress)


def _refuse(*, because: str, **given: object) -> None:
    """Arguments that would be ignored are refused."""
    for name, value in given.items():
        if value:
            raise T2SError("argument_invalid", f"{name} cannot be used here: {because}", f"Leave {name} out")


def _described(
    shop: "Workshop",
    result: "Result",
    region_id: int,
    question: str,
    preview: bool,
    progress: "Callable[[str], None]",
) -> DescribeAnswer:
    from t2s_agent.pipeline import describe

    said = describe(shop, result_id=result.id, region_id=region_id, question=question, bands=True, progress=progress)
    answer = _answer(said, units_of(result))
    answer.query, answer.image = plain(result.query, 300), plain(result.scene.name, 120)
    answer.files = f"t2s://results/{result.id}/ + record.json, regions.geojson, mask.tif, preview.png"
    if preview:
        region = next((region for region in result.regions if region.id == region_id), None)
        answer._picture = region_picture(shop, result, region) if region else result_picture(shop, result.id)
    return answer


def _described_image(
    shop: "Workshop",
    image: str,
    bbox: list[float],
    question: str,
    preview: bool,
    progress: "Callable[[str], None]",
) -> DescribeAnswer:
    from t2s_agent.pipeline import describe

    with helpful(shop, image, [bbox] if bbox else []):
        said = describe(shop, image=image, bbox=bbox or None, question=question, bands=True, progress=progress)
    answer = _answer(
        said,
        "gsd_m: metres a pixel; bbox: west, south, east, north in WGS 84 degrees; bands: stored values, scaled where scale and offset stand beside them",
    )
    bounds = answer.measured.pop("bounds_lonlat", None)
    if bounds:
        answer.measured["bbox"] = bounds
    if preview:
        answer._picture = image_picture(shop, image, bbox)
    return answer


def _answer(said: Any, units: str) -> DescribeAnswer:
    measured = {name: value for name, value in said.measured.items() if value not in (None, "")}
    bands = measured.get("bands", [])
    if len(bands) > _BANDS:
        measured |= {"bands": bands[:_BANDS], "bands_left_out": len(bands) - _BANDS}
    for band in measured.get("bands", []):
        band["name"] = plain(str(band.get("name", "")), 60)
    if "crs" in measured:
        measured["crs"] = plain(str(measured["crs"]), 80)
    facts: dict[str, Any] = {
        "status": "described",
        "subject": plain(said.subject, 200),
        "units": units,
        "measured": measured,
        "note": NOTE,
    }
    if said.question:
        facts |= {"claimed": plain(said.claimed, 2_000), "claimed_by": model_name(said.claimed_by)}
    return DescribeAnswer(**facts)


def _listed(result: "Result", first: int) -> DescribeAnswer:
    facts: dict[str, Any] = {
        "status": "described",
        "subject": result.id,
        "units": units_of(result),
        "total": len(result.regions),
        "note": NOTE,
    }
    ids = [region.id for region in result.regions]
    if ids and first > ids[-1]:
        raise T2SError("region_unknown", f"{result.id} has no region {first}", f"Its regions are 1 to {ids[-1]}")
    return DescribeAnswer(**facts, **page_of(result, first, len(ids), spent=size_of(facts)))


def _outlined(shop: "Workshop", result: "Result", region_id: int) -> DescribeAnswer:
    from t2s_agent.pipeline.workshop import stored_regions

    ids = [region.id for region in result.regions]
    chosen = [region for region in stored_regions(shop, result) if region.id == region_id]
    if not chosen:
        shown = ", ".join(map(str, ids[:30])) or "none at all"
        raise T2SError(
            "region_unknown", f"{result.id} has no region {region_id}", f"Give region_id; its regions are {shown}"
        )
    geometry = chosen[0].geometry
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
        "status": "described",
        "subject": f"region {region_id} of {result.id}",
        "units": "rings of [lon, lat], WGS 84" + DEGREES if result.located else "rings of [x, y]" + PIXELS,
        "outline": shown_rings,
        "files": f"t2s://results/{result.id}/regions.geojson",
    }
    if len(shown_rings) < len(rings):
        facts["next"] = f"the outline is too long: {len(rings) - len(shown_rings)} rings are left out; read files"
    return DescribeAnswer(**facts)


def _images(shop: "Workshop", first: int) -> DescribeAnswer:
    from t2s_agent.scene.listing import images_in

    listing = images_in(shop.settings.roots)
    names = listing.names
    shown: list[dict[str, Any]] = []
    left = TEXT_BYTES - 600
    for name in names[first - 1 : first - 1 + _IMAGES]:
        row = image_facts(shop, name)
        left -= size_of(row) + 1
        if left < 0:
            break
        shown.append(row)
    facts: dict[str, Any] = {
        "status": "described",
        "subject": "images that can be asked about",
        "units": "gsd_m: metres a pixel; bbox: west, south, east, north in WGS 84 degrees",
        "total": len(names),
        "shown": len(shown),
        "images": shown,
        "note": f"{missing}. {NOTE}" if (missing := listing.remark()) else NOTE,
    }
    if first - 1 + len(shown) < len(names):
        facts["next"] = f"describe_region(first_region={first + len(shown)})"
    return DescribeAnswer(**facts)
