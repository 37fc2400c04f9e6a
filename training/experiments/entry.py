"""What an experiment gave, as an entry of the log: date, code, time, each arm's guards, and the comparisons with their intervals."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from evals.metrics import Comparison, Interval
from training.compare import Group, difference, gain
from training.experiments.plan import START, Experiment
from training.experiments.runs import finished, folder_of
from training.run_folder import RunFolder

_WATCHED = {"frac_reward_zero_std": "groups without spread", "kl": "KL", "answers/unparsable": "unparsable"}


def entry(experiment: Experiment, out: Path) -> str:
    """The entry, in Markdown, from the runs that are finished; it names those that are not."""
    groups = {arm: _group(experiment, out, arm) for arm in experiment.arms}
    there = {arm: group for arm, group in groups.items() if group is not None}
    left = len(experiment.arms) * len(experiment.seeds) - sum(len(group.runs) for group in there.values())
    lines = [f"## {experiment.name}, {datetime.now(UTC):%Y-%m-%d}", "", experiment.claim, ""]
    lines.append(
        f"Commit {_commits(there.values())}; `python -m training.experiments {experiment.name}`. {_seeds(experiment, left)}"
    )
    lines += [
        "",
        "| arm | runs | first step | last step | gain | minutes a run | watched, mean |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(arm, group, experiment.metric) for arm, group in there.items()]
    lines += ["", f"Differences in {experiment.metric}, paired by image, with 95 % intervals:", ""]
    lines += [_compared(experiment, there, *pair) for pair in experiment.compare if _has(there, pair)]
    return "\n".join(lines) + "\n"


def _group(experiment: Experiment, out: Path, arm: str) -> Group | None:
    runs = tuple(folder_of(out, arm, seed) for seed in experiment.seeds if finished(experiment, out, arm, seed))
    return Group(arm, runs) if runs else None


def _seeds(experiment: Experiment, left: int) -> str:
    seeds = "one seed: exploratory" if experiment.exploratory else f"{len(experiment.seeds)} seeds"
    return f"{seeds[0].upper()}{seeds[1:]}{f'; {left} runs are not finished' if left else ''}."


def _row(arm: str, group: Group, metric: str) -> str:
    first, last = (_interval(group.at(step).intervals()[metric]) for step in (group.steps[0], group.steps[-1]))
    lines = [line for run in group.runs for line in RunFolder.open(run).metrics()]
    watched = [f"{word} {np.mean(found):.2f}" for key, word in _WATCHED.items() if (found := _values(lines, key))]
    minutes = np.mean([RunFolder.open(run).metrics()[-1]["seconds"] for run in group.runs]) / 60
    change = _change(gain(group, metric))
    return f"| {arm} | {len(group.runs)} | {first} | {last} | {change} | {minutes:.0f} | {', '.join(watched)} |"


def _values(lines: Sequence[dict[str, Any]], key: str) -> list[float]:
    return [value for line in lines if (value := line.get(key)) is not None]


def _has(groups: dict[str, Group], pair: tuple[str, str]) -> bool:
    return all(name in groups for name in pair if name != START)


def _compared(experiment: Experiment, groups: dict[str, Group], one: str, other: str) -> str:
    if one == START:
        return f"- {other} less its start: {_change(gain(groups[other], experiment.metric))}"
    return f"- {other} less {one}: {_change(difference(groups[one], groups[other], experiment.metric))}"


def _interval(found: Interval) -> str:
    bounds = f" [{found.low:.3f}, {found.high:.3f}]" if found.low is not None and found.high is not None else ""
    return "-" if found.value is None else f"{found.value:.3f}{bounds}"


def _change(found: Comparison) -> str:
    if found.difference is None:
        return "-"
    bounds = f" [{found.low:+.3f}, {found.high:+.3f}]" if found.low is not None and found.high is not None else ""
    p = f", p {found.p_permutation:.2g}" if found.p_permutation is not None else ""
    return f"{found.difference:+.3f}{bounds}{p}"


def _commits(groups: Iterable[Group]) -> str:
    """The code that the runs were made with."""
    starts = [start for group in groups for run in group.runs for start in RunFolder.open(run).starts()]
    known = {revision["commit"][:9] for start in starts if (revision := start.get("revision"))}
    return ", ".join(sorted(known)) or "not known"
