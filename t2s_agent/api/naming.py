"""Images and results as a person names them, and what helps where the name or the place is wrong."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

if TYPE_CHECKING:
    from t2s_agent.pipeline import Engine
    from t2s_agent.results.store import ResultStore

LAST = "last"  # a name for the newest result; ids begin with r_
_ENTRIES = 5_000  # of a folder that are looked at for near names


def result_id(store: "ResultStore", given: str) -> str:
    """The whole id of a result that is named by its id, by the beginning of its id, or by `last`. Raises `result_unknown`."""
    if given != LAST:
        return store.load(given, regions=False).id
    results = store.listed().results
    if results:
        return results[0].id
    raise T2SError("result_unknown", "there are no results yet", "Make one first: t2s-agent segment IMAGE QUESTION")


def is_result(subject: str) -> bool:
    """Whether what is to be described is a result; a file of that name comes first."""
    return (subject == LAST or (subject.startswith("r_") and "." not in subject)) and not os.path.lexists(subject)


def image_named(given: str, roots: Sequence[Path] = ()) -> str:
    """The image that was named, `~` resolved. Raises `image_not_found` with near names, `image_unreadable` for a folder.

    With `roots` it is for opening to say what there is, since names count from there.
    """
    from t2s_agent.scene.remote.address import is_address, require_remote
    from t2s_agent.scene.stac import is_item, split_asset

    if is_address(given):
        return require_remote(given)
    if roots:
        return given
    path = Path(split_asset(given)[0] if is_item(given) else given).expanduser()
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises where a folder above may not be read)
        raise T2SError("image_unreadable", f"{_said(given)} is a folder", _held(path, "It") or "It holds no images")
    if not os.path.lexists(path):
        raise T2SError("image_not_found", f"there is no image {_said(given)}", _near(path))
    return str(path) + given[len(split_asset(given)[0]) :] * is_item(given)


def stretch_text(engine: "Engine", given: str) -> str:
    """A stretch as the pipeline takes it: ranges as they are, the whole id of a result, or an image that is there."""
    from t2s_agent.scene.named_stretch import is_ranges

    if is_ranges(given):
        return given
    return result_id(engine.store, given) if is_result(given) else image_named(given, engine.settings.roots)


def _near(path: Path) -> str:
    """What is there instead of an image that is not."""
    from t2s_agent.scene.listing import ENDINGS

    folder = path.absolute().parent
    if not os.path.isdir(folder):  # noqa: PTH112 (as above)
        above = folder
        while not os.path.isdir(above.parent):  # noqa: PTH112 (as above)
            above = above.parent
        near = get_close_matches(above.name, [f.name for f in _entries(above.parent) if f.is_dir()], 3)
        hint = f": did you mean {_listed(near)}?" if near else ""
        return f"There is no folder {_said(str(above))}{hint}"
    names = [f.name for f in _entries(folder) if f.name.lower().endswith(ENDINGS)]
    lower = {name.lower(): name for name in names}
    wanted = path.name.lower()
    near = [lower[each] for each in get_close_matches(wanted, lower, 3, 0.6)]
    stem = path.stem.lower()
    near += [name for each, name in lower.items() if len(stem) > 2 and stem in each and name not in near][:2]
    if near:
        return f"Did you mean {_listed(near)}?"
    return _held(folder) or f"There are no images in {_said(str(folder))}"


def _held(folder: Path, named: str = "Its folder") -> str:
    """The images of a folder, in a sentence; empty where there are none."""
    from t2s_agent.scene.listing import ENDINGS

    names = sorted(f.name for f in _entries(folder) if f.name.lower().endswith(ENDINGS))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{named} holds {_listed(names[:5])}{more}" if names else ""


def _entries(folder: Path) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return [entry for _, entry in zip(range(_ENTRIES), entries, strict=False)]
    except OSError:  # what may not be read cannot be suggested
        return []


def _said(text: str) -> str:
    return repr(one_line(text, 200))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_said(name) for name in names)


@contextmanager
def add_place_hints(
    engine: "Engine", image: str, places: Sequence[Sequence[float]], *, option: str, crs: str | None = None
) -> Iterator[None]:
    """Adds to an error of a box or point what helps: the extent of the image, exchanged axes, the option for another system.

    `places` are the boxes and points that were given; `option` is what names their reference system.
    """
    try:
        yield
    except T2SError as error:
        if error.code == "no_georeference" and places and not crs:
            raise error.changed(fix=f"Give pixels of the image instead: {option} pixels") from error
        if crs or error.code not in ("bbox_invalid", "bbox_outside") or not places:
            raise
        raise _with_extent(engine, image, places, option, error) from error


def _with_extent(
    engine: "Engine", image: str, places: Sequence[Sequence[float]], option: str, error: T2SError
) -> T2SError:
    from t2s_agent.scene.georeference import format_extent
    from t2s_agent.scene.places import extent_in, meets, swapped

    with engine.scene(image) as scene:
        bounds = scene.bounds_lonlat
        if bounds is None:
            return error
        own = extent_in(scene, "image")
        name = scene.georeference.crs_name
    what, fix = error.what, "The image covers west, south, east, north = " + format_extent(bounds)
    if any(abs(value) > 360 for place in places for value in place):
        if any(meets(place, own) for place in places):
            fix += f". These look like coordinates of the image's own system ({one_line(name, 60)}): add {option} image"
        else:
            fix += f". Where they are not degrees, name their system, for example {option} EPSG:32631"
    elif not error.details.get("axes_swapped") and any(swapped(place, bounds) for place in places):
        what += "; latitude and longitude look swapped"
        return error.changed(what=what, fix=fix, extent=tuple(bounds), axes_swapped=True)
    return error.changed(what=what, fix=fix, extent=tuple(bounds))
