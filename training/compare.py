"""Runs side by side: validation over the steps as a picture, and what each group of runs gained since its first step.

python -m training.compare --out curve.png grpo=runs/a,runs/b,runs/c sft=runs/d
python -m training.compare --out curve.png --metric cIoU runs/a runs/b

Runs joined by commas are one group: seeds of one recipe, validated on the same questions. A group's curve is the mean over its
runs; its band is the 95 % interval over images (evals.metrics), thin lines are the runs. Gains are paired: the same images before and
after, and, between groups, the same images in both.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from evals.metrics import Comparison, Interval, Ratios, Row, compare
from evals.protocols import protocol_named
from t2s_agent.errors import T2SError
from training.run_folder import RunFolder
from training.validation import FOLDER

REWARD = "reward"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito: told apart by all
SMOOTHED = 20  # most steps whose training rewards are averaged
FORMATS = (".png", ".svg", ".pdf")
_NAME = "step-*.jsonl"


@dataclass(frozen=True)
class Group:
    """Runs of one recipe with several seeds."""

    name: str
    runs: tuple[Path, ...]

    @cached_property
    def steps(self) -> list[int]:
        """The steps at which all runs were validated; `argument_invalid` where there is none."""
        found = [{int(path.stem.removeprefix("step-")) for path in (run / FOLDER).glob(_NAME)} for run in self.runs]
        shared = sorted(set.intersection(*found))
        if not shared:
            what = f"the runs of {self.name} have no step in common at which they were validated"
            raise T2SError("argument_invalid", what, "Train with run.validate_every above 0")
        return shared

    def at(self, step: int) -> Ratios:
        """The protocol's sums of a step; each run is a draw."""
        protocol = protocol_named("t2s")
        draws = []
        for run in self.runs:
            rows = rows_at(run, step)
            draws.append(([row.cluster for row in rows], protocol.parts(rows)))
        return Ratios.of(draws)

    def rewards(self) -> list[tuple[list[int], list[float]]]:
        """The training reward of each run by step, as a mean over the steps before it; none for supervised runs."""
        found = []
        for run in self.runs:
            lines = [line for line in RunFolder.open(run).metrics() if line.get(REWARD) is not None]
            if lines:
                width = max(1, min(SMOOTHED, len(lines) // 4))
                means = np.convolve([line[REWARD] for line in lines], np.full(width, 1 / width), "valid")
                found.append(([line["step"] for line in lines][width - 1 :], means.tolist()))
        return found


def rows_at(run: Path, step: int) -> list[Row]:
    """The rows of a run's validation at a step."""
    text = (run / FOLDER / f"step-{step:06d}.jsonl").read_text(encoding="utf-8")
    return [Row.from_dict(json.loads(line)) for line in text.splitlines()]


def gain(group: Group, metric: str) -> Comparison:
    """What a group's last validation is better by than its first."""
    return compare(group.at(group.steps[0]), group.at(group.steps[-1]))[metric]


def difference(one: Group, other: Group, metric: str) -> Comparison:
    """What the last validation of `other` is better by than that of `one`; `argument_invalid` for other questions."""
    last = [each.at(each.steps[-1]) for each in (one, other)]
    if last[0].clusters != last[1].clusters:
        what = f"{one.name} and {other.name} were validated on different images"
        raise T2SError("argument_invalid", what, "Compare runs with the same data.validation")
    draws = math.lcm(*(each.top.shape[1] for each in last))
    return compare(*(_repeated(each, draws) for each in last))[metric]


def _repeated(ratios: Ratios, draws: int) -> Ratios:
    """The same with each draw as often as there are `draws` in all: its means stay, and groups of other sizes can be compared."""
    times = draws // ratios.top.shape[1]
    return replace(ratios, top=ratios.top.repeat(times, 1), bottom=ratios.bottom.repeat(times, 1))


def table(groups: Sequence[Group], metric: str) -> str:
    """First and last value of each group with its gain, and the difference of each later group from the first, as text."""
    lines = []
    for group in groups:
        first, last = (group.at(step).intervals()[metric] for step in (group.steps[0], group.steps[-1]))
        steps = f"step {group.steps[0]}: {_value(first)}, step {group.steps[-1]}: {_value(last)}"
        lines.append(f"{group.name} ({len(group.runs)} runs): {metric} at {steps}; gain {_change(gain(group, metric))}")
    for other in groups[1:]:
        change = _change(difference(groups[0], other, metric))
        lines.append(f"{other.name} less {groups[0].name} at their last steps: {change}")
    return "\n".join(lines)


def picture(groups: Sequence[Group], metric: str) -> Figure:
    """The curves of all groups: validation, and the training reward where runs have one."""
    rewards = {group.name: group.rewards() for group in groups}
    panels = 2 if any(rewards.values()) else 1
    figure = Figure(figsize=(5.5 * panels, 4), dpi=150, layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for group, colour in zip(groups, _colours(len(groups)), strict=True):
        _draw_validation(axes[0], group, metric, colour)
        for steps, means in rewards[group.name]:
            axes[-1].plot(steps, means, color=colour, linewidth=1)
    axes[0].set(xlabel="optimizer step", ylabel=f"validation {metric}")
    axes[0].legend(frameon=False)
    if panels == 2:
        axes[1].set(xlabel="optimizer step", ylabel="training reward, moving mean")
    for each in axes:
        each.grid(alpha=0.25)
    return figure


def _draw_validation(axes: Any, group: Group, metric: str, colour: str) -> None:
    ratios = [group.at(step) for step in group.steps]
    found = [each.intervals()[metric] for each in ratios]
    axes.plot(group.steps, [_number(each.value) for each in found], color=colour, linewidth=2, label=_legend(group))
    bounds = [[_number(each.low) for each in found], [_number(each.high) for each in found]]
    axes.fill_between(group.steps, *bounds, color=colour, alpha=0.15, linewidth=0)
    if len(group.runs) > 1:
        for run in range(len(group.runs)):
            alone = [replace(each, top=each.top[:, [run]], bottom=each.bottom[:, [run]]) for each in ratios]
            values = [_number(each.values()[metric]) for each in alone]
            axes.plot(group.steps, values, color=colour, linewidth=0.7, alpha=0.6)


def _legend(group: Group) -> str:
    return f"{group.name}, {len(group.runs)} runs" if len(group.runs) > 1 else group.name


def _colours(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _value(interval: Interval) -> str:
    if interval.value is None:
        return "-"
    bounds = f" [{interval.low:.3f}, {interval.high:.3f}]" if interval.low is not None else ""
    spread = f", sd over runs {interval.spread:.3f}" if interval.spread is not None else ""
    return f"{interval.value:.3f}{bounds}{spread}"


def _change(comparison: Comparison) -> str:
    if comparison.difference is None:
        return "-"
    bounds = f" [{comparison.low:+.3f}, {comparison.high:+.3f}]" if comparison.low is not None else ""
    p = f", p {comparison.p_permutation:.2g}" if comparison.p_permutation is not None else ""
    return f"{comparison.difference:+.3f}{bounds}{p}, {comparison.clusters} clusters of images"


def group_of(text: str) -> Group:
    """A group from the command line: `name=run,run` or `run`."""
    name, equals, runs = text.partition("=")
    folders = tuple(Path(each) for each in (runs if equals else text).split(","))
    missing = [str(folder) for folder in folders if not (folder / FOLDER).is_dir()]
    if missing:
        what = f"{', '.join(missing)} holds no validation"
        raise T2SError("argument_invalid", what, "Give folders that were --out of training.grpo or training.sft")
    return Group(name if equals else folders[0].name, folders)


def save(figure: Figure, out: Path) -> None:
    """Writes the picture. Raises `argument_invalid` for another format, `output_unwritable` where it cannot be written."""
    _require_format(out)
    try:
        figure.savefig(out)
    except OSError as error:
        raise T2SError("output_unwritable", f"{out.name}: {error.strerror}", "Choose another file for --out") from error


def _require_format(out: Path) -> None:
    if out.suffix.lower() not in FORMATS:
        raise T2SError("argument_invalid", f"{out.name} is no picture", f"End --out in {', '.join(FORMATS)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the picture and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="+", metavar="[NAME=]RUN[,RUN...]")
    parser.add_argument("--out", type=Path, required=True, help="the picture: .png, .svg or .pdf")
    parser.add_argument("--metric", default="gIoU", choices=protocol_named("t2s").metrics)
    options = parser.parse_args(arguments)
    try:
        _require_format(options.out)
        groups = [group_of(text) for text in options.groups]
        print(table(groups, options.metric))
        save(picture(groups, options.metric), options.out)
    except T2SError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
