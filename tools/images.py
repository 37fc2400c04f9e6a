"""Resolves image names from agents; suggests names for misspelt ones, and the image's bounds for boxes outside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from t2s_agent.errors import T2SError
from t2s_agent.text import plain

if TYPE_CHECKING:
    from pathlib import Path

    from t2s_agent.pipeline import Engine

_PREFIX = "t2s://images/"
_BOXES = ("bbox_invalid", "bbox_outside")


def image_name(given: str) -> str:
    """Returns the name of an image from its name or its resource URI."""
    return unquote(given.removeprefix(_PREFIX)) if given.startswith(_PREFIX) else given


@contextmanager
def add_image_hints(engine: "Engine", image: "str | Path", places: Sequence[Sequence[float]] = ()) -> Iterator[None]:
    """Adds to errors what an agent needs to correct its call: similar names, or the image's bounds and whether axes are swapped.

    `places` are the boxes or points of the call. Only images in the allowed folders are named.
    """
    try:
        yield
    except T2SError as error:
        if error.code == "image_not_found" and "://" not in str(image):
            near = near_images(engine, str(image))
            raise error.changed(fix=near_in_words(near), near=near.likely or near.some) from error
        if error.code in _BOXES and not error.details.get("axes_swapped"):
            raise _with_bounds(engine, image, places, error) from error
        if error.code == "no_georeference" and places:
            raise error.changed(fix="Leave bbox out: the whole image is looked at") from error
        raise


@dataclass(frozen=True, slots=True)
class Near:
    """Names of images: the `likely` ones, `some` of all, and the number of all."""

    likely: tuple[str, ...]
    some: tuple[str, ...]
    count: int


def near_images(engine: "Engine", image: str) -> Near:
    """Returns the images with a name similar to an unknown name."""
    from t2s_agent.scene.listing import images_in

    names = images_in(engine.settings.roots).names
    wanted = image.replace("\\", "/").rsplit("/", 1)[-1].lower()
    plain_names = {name.rsplit("/", 1)[-1].lower(): name for name in reversed(names)}
    near = [plain_names[each] for each in get_close_matches(wanted, plain_names, n=3, cutoff=0.5)]
    stem = wanted.rsplit(".", 1)[0]
    near += [name for each, name in plain_names.items() if len(stem) > 2 and stem in each and name not in near][:2]
    return Near(tuple(near), tuple(names[:5]), len(names))


def near_in_words(near: Near) -> str:
    """Returns advice for an error: the images with a similar name, or some of all."""
    if not near.count:
        return "There are no images: start the server with --root FOLDER"
    if near.likely:
        return f"Did you mean {_quoted(near.likely)}? describe_region() lists all"
    shown = _quoted(near.some)
    more = f" and {near.count - 5} more; describe_region() lists them" if near.count > 5 else ""
    return f"The images are {shown}{more}" if near.count > 1 else f"The only image is {shown}"


def image_facts(engine: "Engine", name: str) -> dict[str, Any]:
    """Returns size, CRS, resolution, bounds and number of bands of an image; or the error text if it cannot be opened."""
    from t2s_agent.regions.rounding import Rounding
    from t2s_agent.regions.units import METRES
    from t2s_agent.scene.scale import significant

    try:
        with engine.scene(name) as scene:
            facts: dict[str, Any] = {"image": plain(name, 200), "width_px": scene.width, "height_px": scene.height}
            if scene.crs:
                facts["crs"] = plain(scene.georeference.crs_name, 80)
            if scene.gsd_m:
                facts["gsd_m"] = significant(scene.gsd_m, 5)
            bounds = scene.bounds_lonlat
            if bounds:
                facts["bbox"] = [Rounding.of(scene.gsd_m or 1.0, METRES).place(v) for v in bounds]
            facts["bands"] = len(scene.bands)
            if recognised := scene.legend.recognised:
                facts["sensor"] = recognised.sensor.id
            return facts
    except T2SError as error:
        return {"image": plain(name, 200), "error": plain(str(error), 200)}


def _with_bounds(engine: "Engine", image: "str | Path", places: Sequence[Sequence[float]], error: T2SError) -> T2SError:
    from t2s_agent.scene.places import swapped

    with engine.scene(image) as scene:
        bounds = scene.bounds_lonlat
        if bounds is None:
            return error
    shown = ", ".join(f"{v:.6f}" for v in bounds)
    exchanged = any(swapped(place, bounds) for place in places)
    what = error.what + ("; latitude and longitude look swapped" if exchanged else "")
    form = "Give [west, south, east, north] in degrees. " if error.code == "bbox_invalid" else ""
    fix = f"{form}The image covers west, south, east, north = {shown}"
    return error.changed(what=what, fix=fix, extent=tuple(bounds), axes_swapped=exchanged)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(plain(name, 80)) for name in names)
