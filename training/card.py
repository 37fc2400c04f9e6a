"""The model card of a run, made from its folder: every number in it is read from there.

python -m training.card --run RUN [--baseline SFT_RUN] > card.md
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from evals.datasets import DATASETS
from t2s_agent.errors import T2SError
from training.environment import without_folders
from training.objective import reward_weights
from training.recipe import Recipe, Source
from training.run_folder import RunFolder

ROWS = 12  # of the reward's table
VALIDATION = "validation/"  # what the names of a validation's numbers begin with
CURVE = {"reward": "reward", "answers/iou": "IoU", "kl": "KL", "completions/mean_length": "tokens", "loss": "loss"}
_EVENTS = 20  # of the guards, shown

Line = Mapping[str, Any]


def card(run: RunFolder, *, step: int | None = None, baseline: RunFolder | None = None, title: str = "") -> str:
    """The card (Markdown) of a run until `step`, by default all of it; `baseline` is the run of the cold start."""
    lines = [line for line in run.metrics() if step is None or line["step"] <= step]
    events = [event for event in run.events() if step is None or event["step"] <= step]
    parts = [
        _front_matter(run.recipe),
        f"# {title or without_folders(run.folder.name)}\n\n{run.recipe.about}",
        _use(run.recipe),
        _data(run.recipe),
        _training(run, lines),
        _curve(lines),
        _validation(lines, baseline),
        _events_of(events),
        _limits(run.recipe),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(recipe: Recipe) -> str:
    base = [f"base_model: {recipe.policy.name}"] if _on_hub(recipe.policy.name) else []
    tags = ["tags:", "- remote-sensing", "- segmentation"]
    return "\n".join(["---", *base, "library_name: transformers", "pipeline_tag: image-text-to-text", *tags, "---"])


def _use(recipe: Recipe) -> str:
    frame = f" Every image is stretched to {side} x {side} px for it." if (side := square_of(recipe)) else ""
    return (
        "A vision-language model that reads an overhead image and a question, and answers with boxes and points for a segmenter."
        f"{frame}\n\n```\nt2s-agent segment IMAGE QUESTION --prompter FOLDER --segmenter {_shown(recipe.segmenter.name)}\n```"
    )


def _data(recipe: Recipe) -> str:
    rows = [_source(source, "training") for source in recipe.data.train]
    rows += [_source(source, "validation") for source in recipe.data.validation]
    table = _table(["data", "split", "use", "share", "licence", "cite"], rows)
    styles = ", ".join(recipe.data.styles)
    return f"## Data\n\n{table}\n\nQuestions of an image: `{recipe.data.questions}`. Prompt styles: {styles}. View: `{recipe.data.view}`."


def _source(source: Source, use: str) -> list[str]:
    known = DATASETS[source.dataset].card
    return [known.title, source.split, use, f"{source.weight:g}", known.licence, known.citation]


def _training(run: RunFolder, lines: Sequence[Line]) -> str:
    recipe, starts = run.recipe, run.starts()
    rewards = ", ".join(f"{name} {weight:g}" for name, weight in reward_weights(recipe.reward).items())
    facts = {
        "base model": _shown(recipe.policy.name) + (f" @ {recipe.policy.revision}" if recipe.policy.revision else ""),
        "adapters": f"LoRA, rank {recipe.policy.lora.rank}" if recipe.policy.lora else "",
        "segmenter": _shown(recipe.segmenter.name),
        "optimizer steps": str(max((line["step"] for line in lines), default=0)),
        "minutes": f"{max((line['seconds'] for line in lines), default=0.0) / 60:.1f}",
        "seed": str(recipe.run.seed),
        "questions a step": str(recipe.optimizer.prompts),
        "learning rate": f"{recipe.optimizer.learning_rate:g}, {recipe.optimizer.schedule}",
    }
    if _is_grpo(lines):
        facts |= {
            "method": f"GRPO on masks: loss {recipe.objective.loss}, beta {recipe.objective.beta:g}, {recipe.rollout.group} completions a question",
            "reward": f"{rewards}; of the mask on the level {recipe.reward.level}",
        }
    else:
        facts["method"] = "supervised, on answers made from the truth"
    table = _table(["", ""], [[name, value] for name, value in facts.items() if value])
    return "\n\n".join(["## Training", table, *(_start(start) for start in starts)])


def _start(start: Mapping[str, Any]) -> str:
    code = start["revision"]
    commit = f"commit {code['commit'][:12]}{', with changes' if code['dirty'] else ''}" if code else "commit not known"
    versions = ", ".join(f"{name} {version}" for name, version in start["packages"].items())
    devices = ", ".join(start["gpus"]) or start["cpu"]
    where = f"{devices}, {start['processes']} process{'es' if start['processes'] > 1 else ''}"
    return f"From step {start['step']}, {commit}:\n\n```\n{' '.join(start['command'])}\n```\n\n{where}; Python {start['python']}, {versions}."


def _curve(lines: Sequence[Line]) -> str:
    logged = [line for line in lines if "loss" in line and not any(name.startswith(VALIDATION) for name in line)]
    shown = [name for name in CURVE if any(line.get(name) is not None for line in logged)]
    if not logged or not shown:
        return ""
    rows = [
        [f"{part[0]['step']} to {part[-1]['step']}", *(_mean(part, name) for name in shown)] for part in _parts(logged)
    ]
    return "## Course\n\nMeans over the steps.\n\n" + _table(["steps", *(CURVE[name] for name in shown)], rows)


def _validation(lines: Sequence[Line], baseline: RunFolder | None) -> str:
    """Rows of the trivial answers, of the cold start's last validation, and of this run's."""
    own, before = _validated(lines), _validated(baseline.metrics())[-1:] if baseline else []
    first = [*own, *before][:1]
    trivial = sorted({name.partition(" of ")[2] for line in first for name in line if " of " in name})
    names = dict.fromkeys(name for line in [*before, *own] for name in line if name.startswith(VALIDATION))
    shown = [name for name in names if " of " not in name and not name.endswith((" low", " high"))]
    if not shown:
        return ""
    rows = [[each, *(_number(first[0].get(f"{name} of {each}")) for name in shown)] for each in trivial]
    rows += [[f"cold start, step {line['step']}", *(_interval(line, name) for name in shown)] for line in before]
    rows += [[f"step {line['step']}", *(_interval(line, name) for name in shown)] for line in own]
    table = _table(["", *(name.removeprefix(VALIDATION) for name in shown)], rows)
    return f"## Validation\n\nProtocol `t2s`; in brackets 95 % intervals, where they were made.\n\n{table}"


def _interval(line: Line, name: str) -> str:
    low, high = line.get(f"{name} low"), line.get(f"{name} high")
    return _number(line.get(name)) + (f" ({_number(low)} to {_number(high)})" if low is not None else "")


def _events_of(events: Sequence[Line]) -> str:
    if not events:
        return ""
    shown = [f"- step {event['step']}, {event['kind']}: {event['text']}" for event in events[:_EVENTS]]
    rest = [f"- and {len(events) - _EVENTS} more"] if len(events) > _EVENTS else []
    return "\n".join(["## Events\n", *shown, *rest])


def _limits(recipe: Recipe) -> str:
    return (
        "## Limits\n\n"
        f"It was trained with the masks of {_shown(recipe.segmenter.name)}; with another segmenter its prompts may fit less well. "
        "It answers in the frame and in the prompt styles given above. The numbers above are those of this run's data; other "
        "sensors, resolutions and regions were not measured. The terms of the base model and of the data apply to these weights."
    )


def square_of(recipe: Recipe) -> int | None:
    """The side (px) of the square that the policy's pictures are stretched to, None where they keep their shape."""
    kind, _, side = recipe.data.view.partition(":")
    return recipe.policy.square or (int(side) if kind == "square" else None)


def _is_grpo(lines: Sequence[Line]) -> bool:
    return any("reward" in line for line in lines)


def _validated(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if any(name.startswith(VALIDATION) for name in line)]


def _parts(lines: Sequence[Line]) -> list[Sequence[Line]]:
    """At most ROWS stretches of about the same length."""
    count = min(ROWS, len(lines))
    edges = [round(index * len(lines) / count) for index in range(count + 1)]
    return [lines[start:end] for start, end in pairwise(edges)]


def _mean(lines: Sequence[Line], name: str) -> str:
    values = [line[name] for line in lines if line.get(name) is not None]
    return _number(sum(values) / len(values)) if values else ""


def _number(value: Any) -> str:
    return "" if value is None else str(value) if isinstance(value, int | str) else f"{value:.4g}"


def _on_hub(name: str) -> bool:
    return name.count("/") == 1 and not Path(name).is_dir() and not name.startswith((".", "~", "/"))


def _shown(name: str) -> str:
    """A model's name; of a folder only its own name."""
    return name if _on_hub(name) else Path(name).name


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the card of a run."""
    parser = argparse.ArgumentParser(prog="python -m training.card", description="Prints the model card of a run.")
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--baseline", type=Path, help="the run of its cold start, shown beside it")
    options = parser.parse_args(arguments)
    try:
        baseline = RunFolder.open(options.baseline) if options.baseline else None
        sys.stdout.write(card(RunFolder.open(options.run), baseline=baseline))
    except T2SError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
