"""What an agent says about an image's sensor, ground height and brightness."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from .images import add_image_hints, image_name

if TYPE_CHECKING:
    from t2s_agent.pipeline import Engine

NO_HEIGHT = -10_000  # below all ground: "not given", since 0 is the height of the sea
Sensor = Annotated[str, Field(description="where it is not recognised")]
HeightM = Annotated[  # its limits are checked where the image is opened
    float, Field(description="ground height for an image with only a camera model; -10000 = none")
]


def with_sensing(engine: "Engine", sensor: str, height_m: float) -> "Engine":
    """Returns the engine with a sensor and a height for the images of one call; those of the settings where they are not given."""
    said: dict[str, Any] = {}
    if sensor.strip():
        said["sensor"] = sensor.strip()
    if height_m > NO_HEIGHT:
        said["height_m"] = height_m
    return replace(engine, settings=engine.settings.model_copy(update=said)) if said else engine


def stretch_name(engine: "Engine", given: str) -> str | None:
    """Returns a stretch as the pipeline takes it, None where none is given. Raises `image_not_found` with near names."""
    from t2s_agent.pipeline.stretching import is_image

    text = image_name(given.strip())
    if text and is_image(text):
        with add_image_hints(engine, text), engine.scene(text):
            pass
    return text or None
