"""Saves new results: record, mask, outlines and picture."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.steps import Clock, Progress
from t2s_agent.pipeline.stretching import stretch_record
from t2s_agent.prompting.answer import Answer, Status, outcome
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.regions.frame import Frame
from t2s_agent.regions.geojson import feature_collection, text_of
from t2s_agent.regions.picture import draw_picture, write_picture
from t2s_agent.regions.raster import write_mask
from t2s_agent.regions.region import Labels, RegionSet
from t2s_agent.regions.summary import image_area
from t2s_agent.results.files import MASK, PREVIEW, REGIONS
from t2s_agent.results.record import (
    Change,
    ModelReference,
    Prompted,
    Record,
    SceneReference,
    TilingRecord,
    about,
    bounded_warnings,
    code_version,
    measures_of,
    new_id,
    prompted_words,
)
from t2s_agent.results.store import IdTaken, Writer
from t2s_agent.scene import Picture, Scene, View
from t2s_agent.scene.not_overhead import among
from t2s_agent.scene.scale import Scale, significant
from t2s_agent.text import plain


@dataclass(frozen=True, slots=True)
class Saved:
    """A result that was saved just now. `picture` is its preview.png, decoded."""

    record: Record
    picture: Image


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
    tiling: TilingRecord | None = None,
) -> Saved:
    """Writes all files and returns the record and the picture; with another id if the first one was taken meanwhile.

    `answered`: the outcome of the question, if one was asked.
    """
    scale, reference, remarks = scaled(view, reference, tiling)
    progress(f"writing {len(regions.regions)} region{'s' * (len(regions.regions) != 1)}")
    missing = tiling is not None and tiling.looked_at < tiling.windows
    result = Record(
        parents=parents,
        operation=operation,
        parameters=parameters,
        query=query,
        status=outcome(
            answered,
            len(regions.regions),
            coarse=scale.coarse or missing,
            left_out=not parents and bool(regions.left_out),
        ),
        scene=reference,
        prompter=prompter,
        segmenter=segmenter,
        prompted=prompted,
        **measures_of(regions),
        changes=tuple(changes),
        tiling=tiling,
        mask_sha256=mask_digest(regions.labels),
        **made_now(engine, clock, (*remarks, *warnings, *regions.warnings)),
    )
    picture = draw_picture(view, regions, title=query, notes=among(result.warnings))

    def files(named: Record) -> dict[str, Writer]:
        collection = feature_collection(regions, about(named), Frame.of_view(view))
        return {
            MASK: lambda path: write_mask(regions.labels, view, path),
            REGIONS: lambda path: _write_text(path, text_of(collection)),
            PREVIEW: lambda path: write_picture(picture, path),
        }

    return Saved(saved(engine, result, files), picture)


def scaled(
    view: Picture, reference: SceneReference, tiling: TilingRecord | None
) -> tuple[Scale, SceneReference, tuple[str, ...]]:
    """Returns the scale of what was looked at, the reference with it (an older parent's may not have it), and remarks about it."""
    scale = Scale.of(view, reference.gsd_m, enough=tiling is not None and bool(tiling.chosen_because))
    remark = scale.remark(reference.max_size, windows=tiling is not None)
    return scale, reference.model_copy(update=_scale_fields(scale)), (remark,) if remark else ()


def made_now(engine: Engine, clock: Clock, warnings: Sequence[str]) -> dict[str, Any]:
    """Returns the fields of a new record that do not depend on what was found: id, time, version, owner, and each warning once."""
    return {
        "id": new_id(),
        "warnings": bounded_warnings(tuple(dict.fromkeys(warnings))),
        "seconds": clock.seconds,
        "code_version": code_version(),
        "created_utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "owner": engine.store.owner,
    }


def saved(engine: Engine, result: Record, files: Callable[[Record], Mapping[str, Writer]]) -> Record:
    """Saves a record with the files that are made for it; with another id where its own was taken meanwhile. Returns it as it was saved."""
    while True:
        try:
            engine.store.save(result, files(result))
        except IdTaken:
            result = result.model_copy(update={"id": new_id()})
        else:
            return result


def _write_text(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)


def mask_digest(labels: Labels) -> str:
    """Returns the SHA-256 of the shape and the ids: as uint16 if they fit, as in all older records, else as uint32."""
    ids = labels.astype(np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32)
    return hashlib.sha256(f"{ids.shape}".encode() + ids.tobytes()).hexdigest()


def prompter_reference(engine: Engine) -> ModelReference:
    """Returns the reference to the settings' prompter for a record."""
    return ModelReference(name=engine.settings.prompter, digest=engine.models.prompter().digest)


def segmenter_reference(engine: Engine) -> ModelReference:
    """Returns the reference to the settings' segmenter for a record. It loads the model, so call it only if it drew masks."""
    return ModelReference(name=engine.settings.segmenter, digest=engine.models.segmenter().digest)


def reference_to(scene: Scene, view: View, max_size: int) -> SceneReference:
    """Returns the reference to the pixels of a scene that a view shows, and their scale."""
    return SceneReference(
        name=scene.name,
        path=scene.address,
        address_was_signed=scene.origin is not None and scene.origin.signed,
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
        stretch=stretch_record(scene, view.bands),
        sensor=scene.legend.named_by_caller,
        height_m=scene.height_m,
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
    sampling = Sampling.of(engine.settings)
    return Prompted(
        style=engine.settings.style,
        question=question,
        samples=sampling.samples,
        temperature=sampling.temperature,
        seed=sampling.seed,
        instances=instances,
        tokens=answer.tokens,
        **words,
    )
