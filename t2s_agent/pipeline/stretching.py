"""Shows a scene with the stretch that the caller names: ranges of values, or the stretch of a result or of another image."""

import re

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.engine import Engine, shown_name
from t2s_agent.pipeline.items import picture_named
from t2s_agent.results.record import StretchRecord
from t2s_agent.scene import Scene
from t2s_agent.scene.named_stretch import is_ranges, parse_stretch
from t2s_agent.scene.remote.address import is_address, without_secrets
from t2s_agent.scene.stretch import Stretch

_LOOK_PX = 256  # longer side of the look at whether an image has data
_RESULT = re.compile(r"r_[0-9a-f]+")


def use_stretch(engine: Engine, scene: Scene, named: str, bands: str | None) -> None:
    """Shows `bands` of a scene with a named stretch: `200:3000`, three such ranges, the id of a result, or an image.

    An image's stretch is that of the same bands there. Raises `argument_invalid` for a stretch that does not fit, `result_unknown`,
    and what opening an image raises.
    """
    text = named.strip()
    if is_image(text):
        stretch = _of_image(engine, text, bands)
    else:
        stretch = parse_stretch(text) if is_ranges(text) else _of_result(engine, text)
    if stretch.factor is not None and min(scene.shown(bands)) > 0:
        raise T2SError(
            "argument_invalid",
            f"the stretch of {shown_name(text)} is of decibels, and {scene.name} is shown without them",
            "Choose the same bands there and here",
        )
    if len(set(scene.shown(bands))) == 1 and len(set(zip(stretch.low, stretch.high, strict=True))) > 1:
        raise T2SError(
            "argument_invalid",
            f"the stretch {shown_name(text)} has other ranges for red, green and blue, and one band of {scene.name} is shown, as grey",
            "Name one range, for example 200:3000, or show three bands",
        )
    scene.name_stretch(stretch, bands)


def is_image(named: str) -> bool:
    """Whether a named stretch is that of an image, and not ranges or a result."""
    return not is_ranges(named) and not _RESULT.fullmatch(named)


def recorded(named: str | None) -> str | None:
    """Returns a named stretch for a record: an address without its query, which may be a secret."""
    return without_secrets(named) if named and is_address(named) else named or None


def stretch_record(scene: Scene, bands: str | tuple[int, int, int] | None = None) -> StretchRecord | None:
    """Returns the stretch of these bands for a record; None for a band with a colour table."""
    stretch = scene.stretch(bands)
    if stretch is None:
        return None
    return StretchRecord(
        low=stretch.low,
        high=stretch.high,
        fills=[[fill.value for fill in fills] for fills in stretch.fills],  # type: ignore[arg-type]  # lists become tuples
        factor=stretch.factor,
        named=scene.is_named(bands),
    )


def _of_result(engine: Engine, result_id: str) -> Stretch:
    result = engine.store.load(result_id, regions=False)
    if result.scene.stretch is None:
        raise T2SError(
            "argument_invalid",
            f"no stretch is known of {result.id}: its image has a colour table, or it was made before stretches were kept",
            "Name ranges instead, for example 200:3000, or make that result again (replay)",
        )
    return result.scene.stretch.as_stretch()


def _of_image(engine: Engine, image: str, bands: str | None) -> Stretch:
    found, shown = picture_named(engine.settings, image, bands)
    with engine.scene(found) as other:
        stretch = other.stretch(shown)
        empty = stretch is not None and not other.view(max_size=_LOOK_PX, bands=shown).valid.any()
    if empty:
        what = f"{shown_name(image)} has no pixel with data in these bands, so there is no stretch to take from it"
        raise T2SError("argument_invalid", what, "Name another image, or ranges, for example 200:3000")
    if stretch is None:
        raise T2SError(
            "argument_invalid", f"{shown_name(image)} is shown with a colour table, without a stretch", "Name ranges"
        )
    return stretch
