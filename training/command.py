"""What the commands of `training.grpo` and `training.sft` have in common: their options, where they go on, and words about the plan."""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import distributed

from t2s_agent.errors import T2SError
from training import checkpoints
from training.data import Questions
from training.objective import processes_now
from training.policy import Opened
from training.processor import require_whole_view
from training.recipe import Recipe, load_recipe, recipe_names
from training.run_folder import RunFolder


def run_command(
    train: Callable[..., Path], name: str, description: str, arguments: Sequence[str] | None = None
) -> None:
    """Parses the options and calls `train(recipe, out, resume=...)`.

    A T2SError, or an interruption, is printed in one line, with exit code 1.
    """
    options = _parser(name, description).parse_args(arguments)
    try:
        train(load_recipe(options.recipe, options.changes), options.out, resume=options.resume)
    except T2SError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command with --resume goes on from the newest whole checkpoint")
    finally:
        if distributed.is_available() and distributed.is_initialized():
            gc.collect()  # a trainer refers to itself, and holds the group: only without it does the group end here
            distributed.destroy_process_group()  # left to the end of Python, gloo's threads (torch 2.13) may abort the process


def start_of(run: RunFolder) -> Path | None:
    """The checkpoint to go on from; None, said in a line, for a run that was stopped before its first one.

    `argument_invalid` for another number of processes, whose random states the checkpoint does not have.
    """
    newest = checkpoints.newest(run.checkpoints)
    if newest is None:
        if run.writes:
            print(f"there is no whole checkpoint in {run.checkpoints}: the run starts from the beginning", flush=True)
        return None
    if (before := checkpoints.own_of(newest)["processes"]) != (now := processes_now()):
        what = f"{newest.name} was written by {before} processes, and these are {now}: its random states do not fit"
        raise T2SError(
            "argument_invalid", what, f"Start {before} processes, or a new run with policy.name of an export"
        )
    return newest


def require_frame(recipe: Recipe, opened: Opened) -> None:
    """A square view has to be what the model sees, else its coordinates would mean another frame."""
    view, _, side = recipe.data.view.partition(":")
    if view == "square":
        require_whole_view(opened.processor, int(side))


def plan_words(recipe: Recipe, questions: Questions, prompts: int, details: Sequence[str], start: Path | None) -> str:
    """What a run will do, in a few lines. `prompts` are the questions of a step."""
    pool = questions.pool
    sources = ", ".join(f"{len(each.samples):,} of {each.name}" for each in pool.sources)
    lines = [recipe.about, f"questions: {sources}; {len(questions):,} are asked, {prompts} a step", *details]
    if pool.left_out:
        lines.append(f"left out: {len(pool.left_out):,} samples, the first: {pool.left_out[0]}")
    if start is not None:
        lines.append(f"goes on after step {checkpoints.step_of(start):,}")
    return "\n".join(lines)


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=description)
    parser.add_argument("--recipe", required=True, help=f"a name ({', '.join(recipe_names())}) or a YAML file")
    parser.add_argument("--out", required=True, type=Path, help="the run's folder")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="changes of the recipe, such as optimizer.steps=20",
    )
    parser.add_argument("--resume", action="store_true", help="go on after the newest whole checkpoint in --out")
    return parser
