"""Trains a prompter on answers made from the truth: `python -m training.sft --recipe R --out DIR [--set part.key=value ...] [--resume]`.

It is the cold start of training.grpo, and the baseline that GRPO has to beat. The loss is the mean over the answers' tokens.
With several processes: `accelerate launch -m training.sft ...` or `torchrun --nproc-per-node 2 -m training.sft ...`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from t2s_agent.errors import T2SError
from t2s_agent.segmenting.segmenter import Segmenter
from training import checkpoints
from training.command import plan_words, require_frame, run_command, start_of
from training.data import Questions, open_questions
from training.memory import require_memory
from training.objective import machine, optimization, output, processes_now
from training.policy import Opened, open_policy
from training.precision import require_precision
from training.progress import Progress, without_printer
from training.recipe import Recipe
from training.rewards.segmenter import open_segmenter
from training.run_folder import MetricsCallback, RunFolder
from training.supervised import answer_writer, examples
from training.validation import add_validation
from training.whole_saves import WholeSaves


class OracleTrainer(WholeSaves, SFTTrainer):  # type: ignore[misc]  # trl is not typed
    """TRL's SFTTrainer on a recipe's questions with answers from the truth; `out` gets the folder `checkpoints`."""

    def __init__(
        self,
        recipe: Recipe,
        opened: Opened,
        questions: Questions,
        out: Path,
        *,
        segmenter: Segmenter | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.folder, self.keep = out / "checkpoints", recipe.run.keep
        write = answer_writer(recipe.supervised, opened.processor, segmenter)
        super().__init__(
            model=opened.model,
            processing_class=opened.processor,
            args=sft_config(recipe, out, questions=len(questions)),
            train_dataset=examples(questions, opened.processor, write),
            callbacks=list(callbacks),
        )

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Nothing: training.card makes the card of a run."""

    def _send_telemetry(self) -> None:
        """Nothing is sent."""


def sft_config(recipe: Recipe, out: Path, *, questions: int) -> SFTConfig:
    """TRL's settings for a recipe whose schedule has so many questions; `argument_invalid` where a step cannot be split evenly."""
    processes = processes_now()
    per_device, accumulated = split(recipe, processes)
    return SFTConfig(
        output_dir=str(out),
        max_steps=steps_of(recipe, questions),
        per_device_train_batch_size=per_device,
        gradient_accumulation_steps=accumulated,
        train_sampling_strategy="sequential",  # the order is training.data's seeded schedule
        max_length=None,  # the default cuts answers at 840 px without a word
        completion_only_loss=True,
        packing=False,
        padding_free=False,
        loss_type="nll",
        label_smoothing_factor=0.0,
        neftune_noise_alpha=None,
        **optimization(recipe),
        **machine(recipe, processes),
        **output(recipe),
    )


def steps_of(recipe: Recipe, questions: int) -> int:
    """The optimizer steps of a run: `steps`, or as many as all passes' questions are enough for."""
    steps = recipe.optimizer.steps or questions // recipe.optimizer.prompts
    if not steps:
        what = f"the run's {questions} questions are less than one step of {recipe.optimizer.prompts}"
        raise T2SError("argument_invalid", what, "Raise optimizer.epochs or lower optimizer.prompts")
    return steps


def split(recipe: Recipe, processes: int) -> tuple[int, int]:
    """How many sequences a process holds at once, and how often a step: together `optimizer.prompts`."""
    each, rest = divmod(recipe.optimizer.prompts, processes)
    per_device = min(recipe.optimizer.per_device, each)
    if rest or each % per_device:
        raise T2SError(
            "argument_invalid",
            f"optimizer.prompts {recipe.optimizer.prompts} cannot be split over {processes} processes with "
            f"optimizer.per_device {recipe.optimizer.per_device}",
            "Choose prompts as a multiple of both",
        )
    return per_device, each // per_device


def train(recipe: Recipe, out: Path, *, resume: bool = False) -> Path:
    """Trains by a recipe in the folder `out` and returns the last checkpoint.

    Everything that can be refused is refused before the first step: `argument_invalid` for settings, data and folders,
    `model_unavailable` for models.
    """
    require_precision(recipe, processes_now())
    split(recipe, processes_now())
    run = RunFolder.begin(out, recipe, resume=resume)
    start = start_of(run) if resume else None
    questions = open_questions(recipe, out)
    memory = require_memory(recipe, processes=processes_now(), supervised=True)
    set_seed(recipe.run.seed)  # new adapters are random
    opened = open_policy(recipe.policy)
    require_frame(recipe, opened)
    needed = recipe.run.validate_every or recipe.supervised.clicks
    segmenter = open_segmenter(recipe.segmenter) if needed else None
    if run.writes:
        print(f"{plan(recipe, questions, start)}\n{memory}", flush=True)
        checkpoints.remove_unfinished(run.checkpoints)
    callbacks = [MetricsCallback(run), Progress()]
    trainer = OracleTrainer(recipe, opened, questions, out, segmenter=segmenter, callbacks=callbacks)
    without_printer(trainer)
    if segmenter:
        add_validation(trainer, recipe, opened.processor, segmenter, out)
    trainer.train(resume_from_checkpoint=str(start) if start else None)
    return run.checkpoints / f"checkpoint-{trainer.args.max_steps}"


def plan(recipe: Recipe, questions: Questions, start: Path | None) -> str:
    """What a run will do, in a few lines."""
    per_device, accumulated = split(recipe, processes_now())
    machine = f"{processes_now()} processes, {per_device} sequences at once, {accumulated} times a step"
    supervised = recipe.supervised
    answers = f"at most {supervised.most_instances} objects, {supervised.clicks} clicks against {recipe.segmenter.name}"
    details = [f"steps: {steps_of(recipe, len(questions)):,}; {machine}", f"answers: {answers}"]
    return plan_words(recipe, questions, recipe.optimizer.prompts, details, start)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    run_command(train, "training.sft", "Trains a prompter on answers made from the truth.", arguments)


if __name__ == "__main__":
    main()
