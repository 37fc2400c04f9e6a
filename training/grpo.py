"""Trains a prompter by GRPO on masks: `python -m training.grpo --recipe R --out DIR [--set part.key=value ...] [--resume]`.

With several processes: `accelerate launch -m training.grpo ...` or `torchrun --nproc-per-node 2 -m training.grpo ...`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers import TrainerCallback, set_seed

from t2s_agent.errors import T2SError
from t2s_agent.segmenting.segmenter import Segmenter
from training import checkpoints
from training.data import Questions, open_questions
from training.guards import GuardCallback
from training.memory import require_memory
from training.multi_turn.trainer import TwoTurnTrainer
from training.objective import batches, check_recipe, processes_now, total_steps
from training.pictures import PicturesCallback
from training.policy import Opened, open_policy
from training.precision import require_precision
from training.processor import require_whole_view
from training.progress import Progress, without_printer
from training.recipe import Recipe, load_recipe, recipe_names
from training.rewards.engine import RewardEngine
from training.rewards.segmenter import open_segmenter
from training.run_folder import MetricsCallback, RunFolder
from training.trainer import MaskGRPOTrainer
from training.validation import add_validation
from training.vllm_server import require_vllm


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. A T2SError, or an interruption, is printed in one line, with exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        train(load_recipe(options.recipe, options.changes), options.out, resume=options.resume)
    except T2SError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command with --resume goes on from the newest whole checkpoint")


def train(recipe: Recipe, out: Path, *, resume: bool = False) -> Path:
    """Trains by a recipe in the folder `out` and returns the last checkpoint.

    Everything that can be refused is refused before the first step: `argument_invalid` for settings, data and folders,
    `model_unavailable` for models. `model_failed` where a guard stops the run.
    """
    check_recipe(recipe, processes_now())
    require_precision(recipe, processes_now())
    require_vllm(recipe)
    run = RunFolder.begin(out, recipe, resume=resume)
    start = _start(run) if resume else None
    questions = open_questions(recipe, out)
    steps = total_steps(recipe, len(questions))
    memory = require_memory(recipe, processes=processes_now())
    set_seed(recipe.run.seed)  # new adapters are random
    opened = open_policy(recipe.policy)
    _require_frame(recipe, opened)
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
    pool = questions.pool
    sources = ", ".join(f"{len(each.samples):,} of {each.name}" for each in pool.sources)
    sequences = f"{steps:,} of {split.sequences} sequences ({split.group} completions a question)"
    machine = f"{split.processes} processes, {split.per_device} sequences at once, {split.accumulated} times a step"
    objective, rate = recipe.objective, recipe.optimizer.learning_rate
    lines = [
        recipe.about,
        f"questions: {sources}; {len(questions):,} are asked, {split.prompts} a step",
        f"steps: {sequences}; {machine}",
        f"loss: {objective.loss}, beta {objective.beta:g}, learning rate {rate:g}",
    ]
    if pool.left_out:
        lines.append(f"left out: {len(pool.left_out):,} samples, the first: {pool.left_out[0]}")
    if start is not None:
        lines.append(f"goes on after step {checkpoints.step_of(start):,}")
    return "\n".join(lines)


def _start(run: RunFolder) -> Path | None:
    """The checkpoint to go on from. Refuses another number of processes, whose random states it does not have."""
    newest = checkpoints.newest(run.checkpoints)
    if newest is not None and (before := checkpoints.own_of(newest)["processes"]) != (now := processes_now()):
        what = f"{newest.name} was written by {before} processes, and these are {now}: its random states do not fit"
        raise T2SError(
            "argument_invalid", what, f"Start {before} processes, or a new run with policy.name of an export"
        )
    return newest


def _require_frame(recipe: Recipe, opened: Opened) -> None:
    """A square view has to be what the model sees, else its coordinates would mean another frame."""
    view, _, side = recipe.data.view.partition(":")
    if view == "square":
        require_whole_view(opened.processor, int(side))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.grpo", description="Trains a prompter by GRPO on masks.")
    parser.add_argument("--recipe", required=True, help=f"a name ({', '.join(recipe_names())}) or a YAML file")
    parser.add_argument("--out", required=True, type=Path, help="the run's folder")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="changes of the recipe",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint of the folder")
    return parser


if __name__ == "__main__":
    main()
