"""Prints a line a step: how far a run is, what it earned, how fast it goes and how long it still takes."""

import time
from typing import Any

from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

SHOWN = {
    "reward": "reward",
    "answers/iou": "IoU",
    "kl": "KL",
    "entropy": "entropy",
    "completions/mean_length": "tokens",
}


class Progress(TrainerCallback):
    """Prints progress on the main process, in place of transformers' own printing of every logged number."""

    def __init__(self) -> None:
        self._began = 0.0
        self._first = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        del args, control, kwargs
        self._began, self._first = time.monotonic(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        del args, control, kwargs
        if logs and "loss" in logs and state.is_world_process_zero:
            print(self.line(state.global_step, state.max_steps, logs, time.monotonic()), flush=True)

    def line(self, step: int, steps: int, logs: dict[str, Any], now: float) -> str:
        """One line; the rate is the mean since this start."""
        seconds = (now - self._began) / max(step - self._first, 1)
        numbers = [f"{name} {logs[key]:.3g}" for key, name in SHOWN.items() if logs.get(key) is not None]
        return (
            f"step {step}/{steps}: {', '.join(numbers)}; {seconds:.1f} s a step, {_span(seconds * (steps - step))} left"
        )


def without_printer(trainer: Any) -> None:
    """Removes transformers' printing of every logged number."""
    trainer.remove_callback(PrinterCallback)


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    return (
        f"{minutes // 60} h {minutes % 60:02} min"
        if minutes >= 60
        else f"{minutes} min"
        if minutes
        else f"{seconds:.0f} s"
    )
