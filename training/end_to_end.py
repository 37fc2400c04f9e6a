"""From nano's shipped weights to an answer and scores of newly trained ones, by the commands that a user would give.

`python -m training.end_to_end --out DIR [--steps 4] [--scenes 60] [--held-out 6] [--size 224]`

Nothing outside the repository is needed: nano, and procedural scenes. Each command is printed before it runs, in a form
that can be repeated: cold start, export, GRPO from it, export, calibration of the exported prompter (`calibration.json` is put into its
folder), a question about the demo scene to an MCP server that serves the folder, and scores of the start, the cold start and the
exported prompter on the same held-out scenes. It shows that the parts fit together: a few steps on small scenes teach nothing.
DIR/outcome.json holds the answer, the digest of the weights that gave it, and the scores.
"""

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

import evals.calibrate.__main__
import evals.run.__main__
import training.export
import training.grpo
import training.sft
from t2s_agent.calibration import FILE
from t2s_agent.errors import T2SError
from t2s_agent.weights import weights_digest

QUESTION = {"image": "harbour.tif", "query": "Where are the storage tanks?"}
PROTOCOL = "t2s"
TRAINED_PX = (
    224  # of training scenes: of smaller ones a group's answers are often all alike, which teaches GRPO nothing
)
_SERVER = "from t2s_agent.cli import main; main()"  # the program t2s-agent, of this Python
_PATIENCE_S = "600"  # for the answer, on a busy machine
_MAINS: Mapping[str, Callable[[Sequence[str]], int | None]] = {
    "training.sft": training.sft.main,
    "training.export": training.export.main,
    "training.grpo": training.grpo.main,
    "evals.calibrate": evals.calibrate.__main__.main,
    "evals.run": evals.run.__main__.main,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """`steps` of each training; `scenes` to calibrate with, of which 46 are the fewest; `held_out` scenes to score; `size` of both in px."""

    out: Path
    steps: int = 4
    scenes: int = 60
    held_out: int = 6
    size: int = 224


@dataclass(frozen=True, slots=True)
class Outcome:
    """The MCP tool's answer; the digests of the weights that gave it and of the exported ones; gIoU by model (None: no score)."""

    answer: dict[str, Any]
    answered_by: str
    exported: str
    giou: dict[str, float | None]


def run(settings: Settings) -> Outcome:
    """Runs all steps and writes outcome.json. `argument_invalid` if `out` exists; a step that fails ends the process with its words."""
    out = settings.out
    if out.exists():
        raise T2SError("argument_invalid", f"{out.name} exists", "Give a new folder")
    start, prompter = out / "start", out / "prompter"
    command("training.sft", "--recipe", "nano-sft", "--out", out / "sft", "--set", *_changes(settings, prompts=4))
    command("training.export", "--run", out / "sft", "--out", start)
    group = (f"policy.name={start}", "rollout.group=4", "rollout.max_new_tokens=256")
    changes = (*_changes(settings, prompts=2), *group)
    command("training.grpo", "--recipe", "nano", "--out", out / "grpo", "--set", *changes)
    command("training.export", "--run", out / "grpo", "--baseline", out / "sft", "--out", prompter)
    calibrate(settings, prompter)
    answer, answered_by = anyio.run(ask, prompter, out / "served")
    models: dict[str, str | Path] = {"nano": "nano", "start": start, "prompter": prompter}
    giou = {name: scored(settings, name, model) for name, model in models.items()}
    outcome = Outcome(answer, answered_by, weights_digest(prompter), giou)
    (out / "outcome.json").write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")
    return outcome


def command(module: str, *arguments: str | Path) -> None:
    """Prints and runs `python -m MODULE ...`, in this process: torch and TRL are imported once."""
    words = [str(each) for each in arguments]
    print(f"\n$ python -m {shlex.join([module, *words])}", flush=True)
    if code := _MAINS[module](words):
        sys.exit(code)


def _changes(settings: Settings, *, prompts: int) -> tuple[str, ...]:
    """Settings of a short run on few scenes, without validation on the way."""
    count = settings.steps * prompts
    options = f"{{count: {count}, size: {TRAINED_PX}, phrasing: trained}}"
    steps = f"optimizer.steps={settings.steps}", f"run.save_every={settings.steps}"
    batch = f"optimizer.prompts={prompts}", "optimizer.per_device=4"
    quiet = "run.validate_every=0", "run.pictures_every=0", "run.report_to=[]"
    return (f"data.train=[{{dataset: procedural, split: train, options: {options}}}]", *steps, *batch, *quiet)


def calibrate(settings: Settings, prompter: Path) -> None:
    """Measures the prompter with nano's segmenter on scenes of the split `calibration`, and puts the table into its folder."""
    folder = settings.out / "calibration"
    options = ("--option", f"count={settings.scenes}", "--option", f"size={settings.size}", "--option", "kinds=name")
    dataset = ("--dataset", "procedural", "--split", "calibration", *options)
    command("evals.calibrate", "--prompter", prompter, *dataset, "--out", folder)
    print(f"\n$ cp {shlex.join([str(folder / FILE), str(prompter)])}", flush=True)
    shutil.copyfile(folder / FILE, prompter / FILE)


async def ask(prompter: Path, store: Path) -> tuple[dict[str, Any], str]:
    """The answer of an MCP server over standard input and output, and the digest in the record of its result."""
    options = ["serve", "--prompter", str(prompter), "--store", str(store), "--no-preload"]
    options += ["--answer-within-s", _PATIENCE_S, "--answer-unwatched-within-s", _PATIENCE_S]
    print(f"\n$ t2s-agent {shlex.join(options)}\n  reason_segment {json.dumps(QUESTION)}", flush=True)
    server = StdioServerParameters(command=sys.executable, args=["-c", _SERVER, *options], env=dict(os.environ))
    async with Client(server) as client:
        said = await client.call_tool("reason_segment", QUESTION)
    text = next((part.text for part in said.content if part.type == "text"), "")
    if said.is_error:
        raise T2SError("model_failed", f"the server answered: {text}", "Repeat the command above to see its log")
    print(text, flush=True)
    answer: dict[str, Any] = json.loads(text)
    record = json.loads((store / answer["result_id"] / "record.json").read_text(encoding="utf-8"))
    return answer, str(record["prompter"]["digest"])


def scored(settings: Settings, name: str, model: str | Path) -> float | None:
    """gIoU of a prompter with nano's segmenter on scenes of the split `test`."""
    answers = settings.out / "scores" / name
    options = ("--option", f"count={settings.held_out}", "--option", f"size={settings.size}")
    dataset = ("--dataset", "procedural", "--split", "test", *options)
    command("evals.run", "answers", *dataset, "--prompter", model, "--cache", "none", "--out", answers)
    command("evals.run", "scores", "--answers", answers, "--out", answers, "--protocol", PROTOCOL)
    summary = json.loads((answers / f"summary-{PROTOCOL}.json").read_text(encoding="utf-8"))
    value = summary["all"]["metrics"]["gIoU"]["value"]
    return None if value is None else float(value)


def as_text(outcome: Outcome) -> str:
    """Who answered, and the scores side by side."""
    same = "the exported weights" if outcome.answered_by == outcome.exported else "OTHER WEIGHTS"
    first = f"answered by {same} ({outcome.answered_by[:12]}): {outcome.answer['status']}"
    return f"{first}\ngIoU: " + ", ".join(
        f"{name} {'none' if value is None else f'{value:.4f}'}" for name, value in outcome.giou.items()
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; the exit code is 1 where a step fails, or where the answer came from other weights."""
    parser = argparse.ArgumentParser(prog="python -m training.end_to_end", description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=Path, help="a new folder")
    parser.add_argument("--steps", type=int, default=4, help="of the cold start, and of GRPO")
    parser.add_argument("--scenes", type=int, default=60, help="to calibrate with: at least 46")
    parser.add_argument("--held-out", type=int, default=6, help="scenes that the scores are of")
    parser.add_argument("--size", type=int, default=224, help="px, of the scenes to calibrate with and to score")
    given = parser.parse_args(arguments)
    try:
        outcome = run(Settings(given.out, given.steps, given.scenes, given.held_out, given.size))
    except T2SError as error:
        sys.exit(str(error))
    print(f"\n{as_text(outcome)}")
    if outcome.answered_by != outcome.exported:
        sys.exit(1)


if __name__ == "__main__":
    main()
