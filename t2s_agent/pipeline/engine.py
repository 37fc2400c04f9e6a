"""Defines the Engine: the settings, models and store that the functions of the pipeline use."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2s_agent.errors import T2SError
from t2s_agent.models import Models
from t2s_agent.pipeline.items import picture_named
from t2s_agent.results.files import LOCAL
from t2s_agent.results.record import Record, SceneReference
from t2s_agent.results.store import ResultStore
from t2s_agent.scene import Limits, Scene, Sensing, open_scene
from t2s_agent.scene.remote.address import Hosts, is_address, require_remote, without_secrets
from t2s_agent.scene.remote.limits import RemoteLimits
from t2s_agent.settings import Settings
from t2s_agent.text import one_line

if TYPE_CHECKING:
    from t2s_agent.scene.remote.opening import Remote


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
        """Opens an image within the roots, or any local image if there are no roots; at an https address, of an allowed host.

        A STAC item names its picture. `like`: with sidecars and at the height of this view, whatever the settings say. Raises `remote_refused` for a host
        that is not allowed, or a bucket that is not allowed, and `argument_invalid` for addresses that are neither https nor of an object store.
        """
        settings = self.settings
        image, _ = picture_named(settings, image)
        limits = Limits(pixels=settings.max_pixels, seconds=settings.read_seconds)
        sensing = Sensing((like.sensor if like else "") or settings.sensor, settings.sensors_file)
        height_m = like.height_m if like else settings.height_m
        if is_address(str(image)):
            from t2s_agent.scene.remote.opening import open_remote  # httpx is not needed for local images

            address, remote = require_remote(str(image)), remote_of(settings)
            return open_remote(address, remote, limits=limits, sensing=sensing, height_m=height_m)
        return open_scene(
            image,
            roots=settings.roots or None,
            limits=limits,
            trust_sidecars=like.trusted_sidecars if like else settings.trust_sidecars,
            sensing=sensing,
            height_m=height_m,
        )

    def scene_of(self, result: Record) -> Scene:
        """Opens the image of a result as it was opened for the result: with sidecar files only if they were read then, and with the stretch
        that was named.

        Raises `argument_invalid` where they were and the settings do not trust them, and where its address had a query.
        """
        self.require_same_scene(result)
        scene, reference = self.scene(result.scene.path, like=result.scene), result.scene
        if reference.stretch is not None and reference.stretch.named:
            try:
                scene.name_stretch(reference.stretch.as_stretch(), reference.bands)
            except T2SError:  # the image is not what it was
                scene.close()
                raise
        return scene

    def require_same_scene(self, result: Record) -> None:
        """Raises `argument_invalid` for a result whose image cannot be opened again as it was."""
        self.require_trust(result)
        if result.scene.address_was_signed:
            raise T2SError(
                "argument_invalid",
                f"{result.scene.name} of {result.id} was read at an address with a query (such as a signature), which is not stored",
                f"Segment it again with a new address: {result.scene.path}?...",
            )

    def require_trust(self, result: Record) -> None:
        """Raises `argument_invalid` for a result whose image was read with sidecar files that the settings do not trust."""
        if result.scene.trusted_sidecars and not self.settings.trust_sidecars:
            raise T2SError(
                "argument_invalid",
                f"files beside {result.scene.name} were read for {result.id}, and are not trusted now",
                "Set T2S_TRUST_SIDECARS=1 where the files are yours; a server does not read them",
            )


def remote_of(settings: Settings) -> "Remote":
    """What the settings allow of remote images. Raises `argument_invalid` for names that are none."""
    from t2s_agent.scene.remote.bucket import Buckets
    from t2s_agent.scene.remote.opening import Remote

    limits = RemoteLimits(
        whole_bytes=settings.remote_whole_bytes,
        cache_bytes=settings.remote_cache_bytes,
        at_once=settings.remote_at_once,
        request_seconds=settings.remote_seconds,
    )
    hosts = Hosts(settings.remote_hosts, settings.remote_private_hosts)
    return Remote(hosts, limits, settings.remote_ca_file, Buckets(settings.object_buckets))


def shown_name(image: Path | str) -> str:
    """The name of an image for messages: the last part of its path or address, without a query."""
    text = without_secrets(str(image)) if is_address(str(image)) else str(image)
    return one_line(Path(text).name, 255)
