"""Defines the Engine: the settings, models and store that the functions of the pipeline use."""

import re
from dataclasses import dataclass
from pathlib import Path

from t2s_agent.errors import T2SError
from t2s_agent.models import Models
from t2s_agent.results.files import LOCAL
from t2s_agent.results.record import Record, SceneReference
from t2s_agent.results.store import ResultStore
from t2s_agent.scene import Limits, Scene, Sensing, open_scene
from t2s_agent.settings import Settings
from t2s_agent.text import one_line


@dataclass(slots=True)
class Engine:
    """Settings, models and store. One per process; its models are loaded at their first use."""

    settings: Settings
    models: Models
    store: ResultStore

    @classmethod
    def open(cls, settings: Settings, owner: str = LOCAL) -> "Engine":
        """Returns an Engine with the models and the store of the settings."""
        store = ResultStore(
            settings.store, owner, max_bytes=settings.store_max_bytes, max_age_days=settings.store_max_age_days
        )
        return cls(settings, Models(settings), store)

    def scene(self, image: Path | str, *, like: SceneReference | None = None) -> Scene:
        """Opens an image within the roots; any local image if there are no roots. Raises `argument_invalid` for a URL.

        `like`: with sidecars and at the height of this view, whatever the settings say.
        """
        require_local(str(image))
        settings = self.settings
        return open_scene(
            image,
            roots=settings.roots or None,
            limits=Limits(pixels=settings.max_pixels, seconds=settings.read_seconds),
            trust_sidecars=like.trusted_sidecars if like else settings.trust_sidecars,
            sensing=Sensing((like.sensor if like else "") or settings.sensor, settings.sensors_file),
            height_m=like.height_m if like else settings.height_m,
        )

    def scene_of(self, result: Record) -> Scene:
        """Opens the image of a result as it was opened for the result: with sidecar files only if they were read then.

        Raises `argument_invalid` where they were, and the settings do not trust them.
        """
        self.require_trust(result)
        return self.scene(result.scene.path, like=result.scene)

    def require_trust(self, result: Record) -> None:
        """Raises `argument_invalid` for a result whose image was read with sidecar files that the settings do not trust."""
        if result.scene.trusted_sidecars and not self.settings.trust_sidecars:
            raise T2SError(
                "argument_invalid",
                f"files beside {result.scene.name} were read for {result.id}, and are not trusted now",
                "Set T2S_TRUST_SIDECARS=1 where the files are yours; a server does not read them",
            )


# file:, https:, s3: and GDAL's own /vsicurl/; the second slash is lost if a URL was converted to a path
_ADDRESS = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]+):/{1,3}(?=[^/])|(/vsi(?:curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(?:_streaming)?)/"
)


def require_local(image: str) -> None:
    """Raises `argument_invalid` for an image given by a URL, because remote images are not supported yet."""
    found = _ADDRESS.match(image)
    if not found:
        return
    shown = one_line(re.sub(r"//[^/@]*@", "//", image.partition("?")[0]), 120)  # without a password or a signature
    if (found[1] or "").lower() == "file":
        raise T2SError("argument_invalid", f"{shown!r} is an address", "Name the file by its path, without file:")
    raise T2SError(
        "argument_invalid",
        f"{shown!r} is an address: remote images are not opened yet",
        "Download the file and name it by its path",
    )
