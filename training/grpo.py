"""Trains a prompter by GRPO on masks: `python -m training.grpo --recipe R --out DIR [--set part.key=value ...] [--resume]`.

With several processes: `accelerate launch -m training.grpo ...` or `torchrun --nproc-per-node 2 -m training.grpo ...`.
"""

from collections.abc import Sequence
from pathlib import Path

from transformers import TrainerCallback, set_seed

from t2s_agent.segmenting.segmenter import Segmenter
from training import checkpoints
from training.command import plan_words, require_frame, run_command, start_of
from training.data import Questions, open_questions
from training.guards import GuardCallback
from training.memory import require_memory
from training.multi_turn.trainer import TwoTurnTrainer
from training.objective import batches, check_recipe, processes_now, total_steps
from training.pictures import PicturesCallback
from training.policy import Opened, open_policy
from training.precision import require_precision
from training.progress import Progress, without_printer
from training.recipe import Recipe
from training.rewards.engine import RewardEngine
from training.rewards.segmenter import open_segmenter
from training.run_folder import MetricsCallback, RunFolder
from training.trainer import MaskGRPOTrainer
from training.validation import add_validation
from training.vllm_server import require_vllm


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    run_command(train, "training.grpo", "Trains a prompter by GRPO on masks.", arguments)


def train(recipe: Recipe, out: Path, *, resume: bool = False) -> Path:
    """Trains by a recipe in the folder `out` and returns the last checkpoint.

    Everything that can be refused is refused before the first step: `argument_invalid` for settings, data and folders,
    `model_unavailable` for models. `model_failed` where a guard stops the run.
    """
    check_recipe(recipe, processes_now())
    require_precision(recipe, processes_now())
    require_vllm(recipe)
    run = RunFolder.begin(out, recipe, resume=resume)
    start = start_of(run) if resume else None
    questions = open_questions(recipe, out)
    steps = total_steps(recipe, len(questions))
    memory = require_memory(recipe, processes=processes_now())
    set_seed(recipe.run.seed)  # new adapters are random
    opened = open_policy(recipe.policy)
    require_frame(recipe, opened)
    if run.writes:
        print(f"{plan(recipe, questions, steps, start)}\n{memory}", flush=True)
        checkpoints.remove_unfinished(run.checkpoints)
    segmenter = open_segmenter(recipe.segmenter)
    callbacks = [MetricsCallback(run), GuardCallback(recipe.guards, run.event), Progress()]
    trainer = _trainer(recipe, opened, questions, segmenter, out, steps, callbacks)
    trainer.add_callback(PicturesCallback(run, recipe.run.pictures_every, lambda: trainer.last))
    without_printer(trainer)
    add_validation(trainer, recipe, opened.processor, segmenter, out)
    trainer.train(resume_from_checkpoint=str(start) if start else None)
    return run.checkpoints / f"checkpoint-{steps}"


def _trainer(
    recipe: Recipe,
    opened: Opened,
    questions: Questions,
    segmenter: Segmenter,
    out: Path,
    steps: int,
    callbacks: list[TrainerCallback],
) -> MaskGRPOTrainer:
    judge = RewardEngine(segmenter, recipe.reward, most_tokens=recipe.rollout.max_new_tokens)
    if recipe.rollout.turns == 2:
        return TwoTurnTrainer(
            recipe, opened, questions, judge, out, steps=steps, callbacks=callbacks, segmenter=segmenter
        )
    return MaskGRPOTrainer(recipe, opened, questions, judge, out, steps=steps, callbacks=callbacks)


def plan(recipe: Recipe, questions: Questions, steps: int, start: Path | None) -> str:
    """What a run will do, in a few lines."""
    split = batches(recipe, processes_now())
    sequences = f"{steps:,} of {split.sequences} sequences ({split.group} completions a question)"
    machine = f"{split.processes} processes, {split.per_device} sequences at once, {split.accumulated} times a step"
    objective, rate = recipe.objective, recipe.optimizer.learning_rate
    details = [
        f"steps: {sequences}; {machine}",
        f"loss: {objective.loss}, beta {objective.beta:g}, learning rate {rate:g}",
    ]
    return plan_words(recipe, questions, split.prompts, details, start)


if __name__ == "__main__":
    main()
