"""A run as text and as JSON, and two runs side by side."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.chains.runner import Played, Run

FAILURES = ("tool", "argument name", "value", "unit", "perception", "no answer")


def summary(run: Run) -> dict[str, Any]:
    """Totals of a run: all, the hard ones, and by class of question."""
    played = run.played
    topics = sorted({each.topic for each in played})
    return {
        "solver": run.solver,
        "masks": run.masks,
        "max_size": run.max_size,
        "all": _totals(played),
        "hard": _totals([each for each in played if each.hard]),
        "classes": {topic: _totals([each for each in played if each.topic == topic]) for topic in topics},
        "failures": dict(Counter(each.failure for each in played if each.failure)),
    }


def _totals(played: list[Played]) -> dict[str, Any]:
    right = sum(not each.failure for each in played)
    return {
        "questions": len(played),
        "right": right,
        "calls": sum(each.calls for each in played),
        "bytes": sum(each.bytes for each in played),
        "picture_bytes": sum(each.picture_bytes for each in played),
        "seconds": round(sum(each.seconds for each in played), 1),
    }


def write_run(run: Run, path: Path) -> None:
    path.write_text(
        json.dumps({"run": asdict(run), "summary": summary(run)}, indent=1, default=str) + "\n", encoding="utf-8"
    )


def read_run(path: Path) -> Run:
    stored = json.loads(path.read_text(encoding="utf-8"))["run"]
    return Run(**{**stored, "played": [Played(**row) for row in stored["played"]]})


def as_text(run: Run) -> str:
    """A table of the questions, then the totals."""
    lines = [f"{run.solver}, masks: {run.masks}, at most {run.max_size} px", ""]
    lines += [f"{'question':26}{'':14}{'calls':>6}{'bytes':>9}{'s':>8}  answer (truth)"]
    for each in run.played:
        verdict = each.failure or "right"
        said = each.error or f"{_short(each.answer)} ({_short(each.truth)})"
        lines.append(f"{each.question:26}{verdict:14}{each.calls:6}{each.bytes:9}{each.seconds:8.1f}  {said}")
    facts = summary(run)
    lines += ["", f"{'':20}{'right':>9}{'calls':>8}{'a question':>12}{'bytes':>10}{'pictures':>10}"]
    for name, total in (("all", facts["all"]), ("hard", facts["hard"]), *facts["classes"].items()):
        if total["questions"]:
            score = f"{total['right']}/{total['questions']}"
            mean = total["calls"] / total["questions"]
            lines.append(
                f"{name:20}{score:>9}{total['calls']:8}{mean:12.1f}{total['bytes']:10}{total['picture_bytes']:10}"
            )
    wrong = ", ".join(f"{name} {facts['failures'][name]}" for name in FAILURES if name in facts["failures"])
    return "\n".join([*lines, "", f"wrong by class: {wrong or 'none'}"])


def side_by_side(first: Run, second: Run, names: tuple[str, str]) -> str:
    """Two runs over the questions that both played."""
    others = {each.question: each for each in second.played}
    pairs = [(each, others[each.question]) for each in first.played if each.question in others]
    lines = [f"{'':26}{names[0]:^30}{names[1]:^30}"]
    lines += [f"{'question':26}" + f"{'':14}{'calls':>6}{'bytes':>9} " * 2]
    for pair in pairs:
        lines.append(
            f"{pair[0].question:26}"
            + "".join(f"{each.failure or 'right':14}{each.calls:6}{each.bytes:9} " for each in pair)
        )
    for name, kept in (("all", pairs), ("hard", [pair for pair in pairs if pair[0].hard])):
        totals = [_totals([pair[side] for pair in kept]) for side in (0, 1)]
        lines.append(
            f"{name:26}" + "".join(f"{t['right']:>3}/{t['questions']:<10}{t['calls']:6}{t['bytes']:9} " for t in totals)
        )
    return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(_short(each) for each in value) + "]"
    return str(value)[:80]
