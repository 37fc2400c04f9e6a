"""What the pipeline works with, and how a stored result comes back to life."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from t2s_agent.bounds import LONGEST_QUERY
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.models import Models
from t2s_agent.prompting.answer import Answer, Status, outcome
from t2s_agent.regions.edges import with_edges
from t2s_agent.regions.frame import Frame
from t2s_agent.regions.geojson import feature_collection, regions_from, text_of
from t2s_agent.regions.picture import draw_picture
from t2s_agent.regions.raster import place_of_mask, read_mask, write_mask
from t2s_agent.regions.region import Region, RegionSet
from t2s_agent.regions.summary import image_area
from t2s_agent.results.files import LOCAL, MASK, PREVIEW, REGIONS
from t2s_agent.results.record import (
    Change,
    ModelReference,
    Prompted,
    Record,
    SceneReference,
    about,
    bounded_warnings,
    code_version,
    measures_of,
    new_id,
    prompted_words,
)
from t2s_agent.results.store import IdTaken, ResultStore
from t2s_agent.scene import Limits, Scene, View, Window, open_scene
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.scale import Scale, significant
from t2s_agent.segmenting.segmenter import Masks
from t2s_agent.settings import Settings
from t2s_agent.text import one_line, plain

# Called with a few words before each step. Whatever it raises stops the work there and reaches the caller: since a result is
# written last and at once, nothing is left half-written.
Progress = Callable[[str], None]


def no_progress(_: str) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class Engine:
    """What the pipeline works with. One for a process; its models are loaded when they are first asked for."""

    settings: Settings
    models: Models
    store: ResultStore
    pictures: dict[str, Image] | None = None  # filled, by result, for a caller that sends the picture on

    @classmethod
    def open(cls, settings: Settings, owner: str = LOCAL) -> "Engine":
        """Models and store as the settings say."""
        store = ResultStore(
            settings.store, owner, max_bytes=settings.store_max_bytes, max_age_days=settings.store_max_age_days
        )
        return cls(settings, Models(settings), store)

    def scene(self, image: Path | str, *, trust_sidecars: bool | None = None) -> Scene:
        """Opens an image within the roots; without roots, one that a person named. `argument_invalid` for an address.

        `trust_sidecars` None: as the settings say.
        """
        require_local(str(image))
        limits = Limits(pixels=self.settings.max_pixels, seconds=self.settings.read_seconds)
        trusted = self.settings.trust_sidecars if trust_sidecars is None else trust_sidecars
        return open_scene(image, roots=self.settings.roots or None, limits=limits, trust_sidecars=trusted)

    def scene_of(self, result: Record) -> Scene:
        """Opens the image of a result as it was opened for it: with the files beside it only where they were read then.

        Raises `argument_invalid` where they were, and the settings do not trust them.
        """
        self.require_trust(result)
        return self.scene(result.scene.path, trust_sidecars=result.scene.trusted_sidecars)

    def require_trust(self, result: Record) -> None:
        """`argument_invalid` for a result whose image was read with files beside it, where the settings do not trust them."""
        if result.scene.trusted_sidecars and not self.settings.trust_sidecars:
            raise T2SError(
                "argument_invalid",
                f"files beside {result.scene.name} were read for {result.id}, and are not trusted now",
                "Set T2S_TRUST_SIDECARS=1 where the files are yours; a server does not read them",
            )


# file:, https:, s3: and GDAL's own /vsicurl/; the second slash is lost where an address was taken for a path
_ADDRESS = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]+):/{1,3}(?=[^/])|(/vsi(?:curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(?:_streaming)?)/"
)


def require_local(image: str) -> None:
    """Raises `argument_invalid` where an image is named by an address on a network, which is not opened yet."""
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


@dataclass(slots=True)
class Clock:
    """How long each step took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[step] = round(self.seconds.get(step, 0.0) + time.perf_counter() - began, 4)


def load_segmenter(engine: Engine, clock: Clock, progress: Progress) -> None:
    """Loads the segmenter of the settings.

    Called before a prompter is asked too: an answer can take minutes or cost money, and would be lost where the segmenter's name,
    device or weights turn out to be wrong.
    """
    progress(f"loading {engine.settings.segmenter}")
    with clock("load segmenter"):
        engine.models.segmenter()


def draw_masks(engine: Engine, view: View, instances: Sequence[Instance], clock: Clock, progress: Progress) -> Masks:
    """One mask an instance. Without instances nothing is embedded."""
    if not instances:
        return Masks.none(view.height, view.width)
    progress(f"looking at the picture with {engine.settings.segmenter}")
    with clock("load segmenter"):
        segmenter = engine.models.segmenter()
    with clock("embed"):
        embedding = segmenter.embed([view])[0]
    progress(f"drawing {len(instances)} mask{'s' * (len(instances) != 1)}")
    with clock("decode"):
        return segmenter.decode(embedding, instances)


def read_as_pixels(**given: float | None) -> list[str]:
    """Warnings for arguments in metres on an image without a place on Earth, where they are read as pixels of the scene."""
    return [
        f"{name} = {value:g} was read as {'square ' * name.endswith('m2')}pixels of the image, which has no place on Earth"
        for name, value in given.items()
        if value
    ]


def view_of(engine: Engine, result: Record) -> View:
    """The View that a result was made from, read again; `image_unreadable` where its pixels have changed."""
    reference = result.scene
    with engine.scene_of(result) as scene:
        view = scene.view(window=Window(*reference.window), bands=list(reference.bands), max_size=reference.max_size)
    if view.digest() != reference.pixels_sha256:
        raise T2SError(
            "image_unreadable",
            f"{reference.name} is no longer the image that {result.id} was made from",
            "Segment it anew",
        )
    return view


def stored_regions(engine: Engine, result: Record) -> tuple[Region, ...]:
    """The regions of a stored result with their outlines."""
    path = engine.store.artifact(result.id, REGIONS)
    return regions_from(json.loads(path.read_text(encoding="utf-8")))


def other_result(engine: Engine, result: Record, other: str) -> Record:
    """The result that another one is compared or combined with. Raises `no_georeference` where they share no ground.

    Pixels mean the same only on one image: two results without a place on Earth must be of the same one.
    """
    found = engine.store.load(other)
    if found.located != result.located:
        raise T2SError(
            "no_georeference", f"{found.id} and {result.id} do not share a ground", "Combine results of one kind"
        )
    same = (found.scene.path, found.scene.width, found.scene.height) == (
        result.scene.path,
        result.scene.width,
        result.scene.height,
    )
    if not result.located and not same:
        raise T2SError(
            "no_georeference",
            f"{found.id} and {result.id} are of two images without a place on Earth",
            "Combine results of one image, or of images with a georeference",
        )
    return found


def regions_with_edges(engine: Engine, result: Record) -> tuple[Region, ...]:
    """The regions of a stored result with their estimated outlines, for distances."""
    path = engine.store.artifact(result.id, MASK)
    place = place_of_mask(path) if result.located else Georeference()
    return with_edges(stored_regions(engine, result), read_mask(path), place, Window(*result.scene.window))


def region_set(engine: Engine, result: Record) -> RegionSet:
    """A stored result's regions with their pixels."""
    labels = read_mask(engine.store.artifact(result.id, MASK))
    return RegionSet(stored_regions(engine, result), labels, result.located)


def store_result(
    engine: Engine,
    view: View,
    reference: SceneReference,
    regions: RegionSet,
    *,
    query: str,
    operation: str,
    parameters: dict[str, Any],
    prompter: ModelReference,
    segmenter: ModelReference,
    prompted: Prompted,
    warnings: Sequence[str],
    clock: Clock,
    progress: Progress,
    parents: tuple[str, ...] = (),
    answered: Status = "found",
    changes: Sequence[Change] = (),
) -> Record:
    """Writes everything and gives the record, under another id where another result has taken the first one meanwhile.

    `answered`: what became of the question, if one was asked.
    """
    scale = Scale.of(view, reference.gsd_m)
    reference = reference.model_copy(update=_scale_fields(scale))  # a parent's record may be from before they were kept
    if remark := scale.remark(reference.max_size):
        warnings = (remark, *warnings)
    progress(f"writing {len(regions.regions)} region{'s' * (len(regions.regions) != 1)}")
    result = Record(
        id=new_id(),
        parents=parents,
        operation=operation,
        parameters=parameters,
        query=query,
        status=outcome(
            answered, len(regions.regions), coarse=scale.coarse, left_out=not parents and bool(regions.left_out)
        ),
        scene=reference,
        prompter=prompter,
        segmenter=segmenter,
        prompted=prompted,
        **measures_of(regions),
        changes=tuple(changes),
        warnings=bounded_warnings(tuple(dict.fromkeys((*warnings, *regions.warnings)))),
        seconds=clock.seconds,
        mask_sha256=_mask_digest(regions.labels),
        code_version=code_version(),
        created_utc=datetime.now(UTC).isoformat(timespec="milliseconds"),
        owner=engine.store.owner,
    )
    while True:
        try:
            _save(engine, view, regions, result)
        except IdTaken:
            result = result.model_copy(update={"id": new_id()})
        else:
            return result


def _save(engine: Engine, view: View, regions: RegionSet, result: Record) -> None:
    collection = feature_collection(regions, about(result), Frame.of_view(view))

    def draw(path: Path) -> None:
        picture = draw_picture(view, regions, path, title=result.query)
        if engine.pictures is not None:
            engine.pictures[result.id] = picture

    engine.store.save(
        result,
        {
            MASK: lambda path: write_mask(regions.labels, view, path),
            REGIONS: lambda path: _write_text(path, text_of(collection)),
            PREVIEW: draw,
        },
    )


def _write_text(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)


def _mask_digest(labels: NDArray[np.uint16]) -> str:
    return hashlib.sha256(f"{labels.shape}".encode() + np.ascontiguousarray(labels).tobytes()).hexdigest()


def prompter_reference(engine: Engine) -> ModelReference:
    """The prompter of the settings, as a record names it."""
    return ModelReference(name=engine.settings.prompter, digest=engine.models.prompter().digest)


def segmenter_reference(engine: Engine) -> ModelReference:
    """The segmenter of the settings, as a record names it. Only for a result that it drew masks for: it loads the model."""
    return ModelReference(name=engine.settings.segmenter, digest=engine.models.segmenter().digest)


def reference_to(scene: Scene, view: View, max_size: int) -> SceneReference:
    """Which pixels of a scene a view shows, and at which scale."""
    return SceneReference(
        name=scene.name,
        path=str(scene.path),
        width=scene.width,
        height=scene.height,
        crs=scene.georeference.crs_name,
        gsd_m=scene.gsd_m,
        **_scale_fields(Scale.of(view, scene.gsd_m)),
        window=view.window,
        view_size=(view.width, view.height),
        bands=view.bands,
        max_size=max_size,
        pixels_sha256=view.digest(),
        trusted_sidecars=scene.trusted_sidecars,
        valid_share=round(float(view.valid.mean()), 4),
        view_area=image_area(view),
    )


def _scale_fields(scale: Scale) -> dict[str, float | None]:
    return {"view_gsd_m": scale.view_gsd_m, "scene_px_per_view_px": significant(scale.scene_px, 5)}


def prompted_of(engine: Engine, question: str, answer: Answer) -> Prompted:
    instances = [
        {
            "box": i.box and list(i.box),
            "positive": [list(point) for point in i.positive],
            "negative": [list(point) for point in i.negative],
            "label": plain(i.label, 80),
            "score": i.score,
        }
        for i in answer.instances
    ]
    words = prompted_words(answer.raw, answer.thinking)
    return Prompted(
        style=engine.settings.style,
        question=question,
        samples=engine.settings.samples,
        temperature=engine.settings.temperature,
        seed=engine.settings.seed,
        instances=instances,
        tokens=answer.tokens,
        **words,
    )


def checked_question(query: str) -> str:
    question = " ".join(one_line(query, max(1, len(query))).split())
    if not question:
        raise T2SError(
            "argument_invalid", "the question is empty", "Ask something, for example 'Where are the storage tanks?'"
        )
    if len(question) > LONGEST_QUERY:
        raise T2SError(
            "limit_exceeded", f"the question has {len(question)} characters", f"Ask in at most {LONGEST_QUERY}"
        )
    return question


def require_parsable(answer: Answer, name: str) -> None:
    if answer.status == "unparsable":
        said = plain(" ".join(answer.raw.split()), 160)
        why = f" ({answer.warnings[-1]})" if answer.warnings else ""
        raise T2SError(
            "answer_unparsable",
            f"{plain(name, 60)} answered in no form that can be read{why}: {said!r}",
            answer.fix or "Ask in other words, or use another --prompter",
        )


def require_pixels(answer: Answer, regions: RegionSet, segmenter: str) -> None:
    """`model_failed` where a prompter named objects and not one pixel came of them: that is not "nothing is there".

    What a smallest area left out is no failure: its warnings say so.
    """
    if not answer.instances or regions.regions or regions.left_out:
        return
    count = len(answer.instances)
    raise T2SError(
        "model_failed",
        f"the prompter named {count} object{'s' * (count != 1)}, and the segmenter {plain(segmenter, 60)} drew no pixel of "
        f"{'them' if count != 1 else 'it'} where the image has data",
        "Ask in other words, for a smaller part of the image, or use another --segmenter; this is not an empty answer",
    )
