"""Watches the numbers of a run: warns where they say that little is learned, and stops the run where they run away.

A measure is judged once an optimizer step. `warn_after` steps in a row on the wrong side of its limit give one warning, on the
console and in the run's events; of the measures that say that the policy is lost (KL, entropy), `stop_after` steps stop the run, and
a loss or gradient that is no number does so at once. The limits are the recipe's part `guards`. A checkpoint keeps the counts.
"""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from t2s_agent.errors import T2SError
from training.recipe import Guards


@dataclass(frozen=True, slots=True)
class Measure:
    """One watched number: `name` in the logs, the field of the recipe with its limit, and what is said when it is crossed."""

    name: str
    limit: str
    above: bool  # whether too much is wrong, or too little
    stops: bool
    says: str


MEASURES = (
    Measure("kl", "most_kl", True, True, "the policy has moved far from the reference: lower the learning rate or raise beta"),
    Measure("entropy", "least_entropy", False, True, "the policy writes nearly one answer only: lower the learning rate"),
    Measure("entropy", "most_entropy", True, True, "the policy writes at random: lower the learning rate"),
    Measure("groups/distinct", "least_distinct", False, False, "the completions of a group repeat each other"),
    Measure("frac_reward_zero_std", "most_zero_advantage", True, False, "most groups have one reward and teach nothing"),
    Measure("groups/spread", "least_spread", False, False, "rewards within a group are nearly equal"),
    Measure("completions/clipped_ratio", "most_truncated", True, False, "many completions are cut off: raise rollout.max_new_tokens"),
    Measure("answers/unparsable", "most_unparsable", True, False, "many completions cannot be read"),
)  # fmt: skip
NUMBERS = ("loss", "grad_norm")  # that have to be finite


class Watch:
    """Counts for each measure the steps in a row in which it was on the wrong side of its limit."""

    def __init__(self, limits: Guards, warn: Callable[[int, str], None]) -> None:
        self._limits = limits
        self._warn = warn
        self.counts: dict[str, int] = {}

    def judge(self, step: int, logs: Mapping[str, Any]) -> None:
        """Judges the logged numbers of a step. Raises `model_failed` where the run has to stop."""
        self._require_numbers(step, logs)
        for measure in MEASURES:
            value, limit = logs.get(measure.name), getattr(self._limits, measure.limit)
            if value is None or limit is None:
                continue
            wrong = value > limit if measure.above else value < limit
            self.counts[measure.limit] = self.counts.get(measure.limit, 0) + 1 if wrong else 0
            if wrong:
                self._speak(step, measure, float(value), float(limit))

    def _require_numbers(self, step: int, logs: Mapping[str, Any]) -> None:
        for name in NUMBERS:
            value = logs.get(name)
            if isinstance(value, int | float) and not math.isfinite(value):
                text = f"{name} is {value} at step {step}"
                self._warn(step, text)
                raise T2SError("model_failed", f"the training has collapsed: {text}", "Lower optimizer.learning_rate")

    def _speak(self, step: int, measure: Measure, value: float, limit: float) -> None:
        times = self.counts[measure.limit]
        side = "above" if measure.above else "below"
        text = f"{measure.name} {value:.4g} is {side} {limit:g} since {times} steps: {measure.says}"
        if times == self._limits.warn_after:
            self._warn(step, text)
        if measure.stops and times >= self._limits.stop_after:
            self._warn(step, text)
            raise T2SError(
                "model_failed",
                f"the training has collapsed: {text}",
                f"Start anew from an earlier checkpoint, or change guards.{measure.limit}",
            )


class GuardCallback(TrainerCallback, ExportableState):
    """Judges each logged optimizer step of a trainer. `event` gets step, kind and text of each warning, as RunFolder.event.

    The counts are in the trainer's saved state, so that a run that goes on counts on.
    """

    def __init__(self, limits: Guards, event: Callable[[int, str, str], None]) -> None:
        self._event = event
        self.watch = Watch(limits, self._warn)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps. transformers asks for it at each saving."""
        return {"args": {}, "attributes": {"counts": dict(self.watch.counts)}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Takes the counts of the checkpoint that a run goes on from; one written without them begins anew."""
        del args, control, kwargs
        kept: dict[str, Any] = state.stateful_callbacks  # type: ignore[assignment]  # a dict after TrainerState's __post_init__
        own = kept.setdefault(type(self).__name__, self.state())  # transformers writes into this entry at each saving
        self.watch.counts = dict(own["attributes"]["counts"])

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        del args, control, kwargs
        if logs and "loss" in logs:  # one line a step; the summary at the end has none
            self.watch.judge(state.global_step, logs)

    def _warn(self, step: int, text: str) -> None:
        self._event(step, "guard", text)
        warnings.warn(f"step {step}: {text}", stacklevel=2)


def require_pictures(rows: int, pictures: int, image_tokens: int, features: int) -> None:
    """Raises `model_failed` if a batch of `rows` sequences lost pictures: TRL leaves them out of the loss without a word.

    `image_tokens` is how many the sequences hold, `features` for how many of them the batch's pixels are.
    """
    if pictures < rows or image_tokens != features:
        what = f"{rows} sequences with {image_tokens} image tokens have {pictures} pictures of {features} tokens"
        raise T2SError("model_failed", what, _DROPPED)


_DROPPED = "Report this: a prompt has lost its picture, or a completion holds an image token"
