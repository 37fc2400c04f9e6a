"""Repeats a result from its record, and names the first step that differs."""

from dataclasses import asdict, dataclass, fields
from dataclasses import replace as changed
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.refine import refine
from t2s_agent.pipeline.refinement import Refinement, refinement_of
from t2s_agent.pipeline.segment import segment
from t2s_agent.pipeline.steps import Progress, no_progress
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.results.record import Record, RegionRecord
from t2s_agent.settings import load_settings

_OF_MODELS = (
    "prompter",
    "segmenter",
    "style",
    *(each.name for each in fields(Sampling)),
)  # a model is loaded with these


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a replay: its value in the record and its value now."""

    name: str
    then: str
    now: str

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.then == self.now


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay: its steps in order, and the result that it made."""

    steps: tuple[Step, ...]
    result_id: str

    @property
    def first_difference(self) -> Step | None:
        """Returns the first step that differs, which causes later differences; None if all steps are equal."""
        return next((step for step in self.steps if not step.same), None)


def replay(engine: Engine, result_id: str, *, progress: Progress = no_progress) -> Replay:
    """Repeats a result with the models, style and seed of its record, and stores a new result."""
    then = engine.store.load(result_id)
    engine.require_same_scene(then)
    settings = load_settings(
        **engine.settings.model_dump()
        | {
            "prompter": then.prompter.name,
            "segmenter": then.segmenter.name,
            "style": then.prompted.style or engine.settings.style,
            **asdict(then.prompted.sampling),
            "max_size": then.scene.max_size,
            "sensor": then.scene.sensor or engine.settings.sensor,
            "trust_sidecars": then.scene.trusted_sidecars,
            "plus_minus": "calibrated" if then.calibration else "pixels",
        }
    )
    settings = settings.model_copy(update={"height_m": then.scene.height_m})  # None counts too
    if all(getattr(settings, name) == getattr(engine.settings, name) for name in _OF_MODELS):
        again = changed(engine, settings=settings)
    else:
        again = Engine.open(settings, engine.store.owner)
    if then.operation == "segment":
        given = {name: value for name, value in then.parameters.items() if value is not None}
        given.setdefault("mode", "overview")  # in records from before there were others
        if given.get("stretch"):
            given["stretch"] = then.id  # what it was, also where the image or the result that was named is gone
        now = segment(again, then.scene.path, then.query, progress=progress, **given)
    elif then.operation.startswith("refine"):
        now = refine(again, then.parents[0], _refinement(then), progress=progress)
    else:
        raise T2SError(
            "argument_invalid", f"{then.id} was made by {then.operation!r}", "Only segment and refine are replayed"
        )
    return Replay(tuple(_steps(then, now)), now.id)


def _refinement(then: Record) -> Refinement:
    """Returns the refinement of a record. Earlier versions did not record a distance of 0; it is restored here."""
    how = refinement_of(then.parameters)
    if how.other and not any(name in then.parameters for name in ("operation", "within_m", "beyond_m", "sort_by")):
        return changed(how, within_m=0.0)
    return how


def _steps(then: Record, now: Record) -> list[Step]:
    def step(name: str, a: object, b: object) -> Step:
        return Step(name, str(a), str(b))

    return [
        step("code version", then.code_version, now.code_version),
        step("pixels", then.scene.pixels_sha256, now.scene.pixels_sha256),
        step("prompter's weights", then.prompter.digest, now.prompter.digest),
        step("question", then.prompted.question, now.prompted.question),
        step("answer", then.prompted.raw, now.prompted.raw),
        step("segmenter's weights", then.segmenter.digest, now.segmenter.digest),
        step("mask", then.mask_sha256, now.mask_sha256),
        step("calibration", _calibration(then), _calibration(now)),
        step(
            "measures",
            _measures(then),
            _measures(now),
        ),
    ]


def _calibration(result: Record) -> str:
    return result.calibration.sha256 if result.calibration else "none"


def _measures(result: Record) -> dict[str, Any]:
    """Returns the measured values. `was` is not a measure, and older records do not have it."""
    return result.model_dump(
        include={"regions": {"__all__": set(RegionRecord.model_fields) - {"was"}}, "total_area": True}
    )
