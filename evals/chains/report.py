"""The records of a run as a table and as JSON, with an interval by bootstrap over scenes, and two runs side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from evals.chains.records import Record, Setup
from evals.chains.score import FAILURES

DRAWS = 2000  # of the bootstrap
LEVEL = 0.95


def summary(setup: Setup, records: Sequence[Record]) -> dict[str, Any]:
    """Totals of a run: of all questions, by kind of scene, by class of question, and how often each class of failure."""

    def by(name: str) -> dict[str, Any]:
        values = sorted({getattr(each, name) for each in records})
        return {value: _totals([each for each in records if getattr(each, name) == value]) for value in values}

    return {
        "run": asdict(setup),
        "all": _totals(records),
        "scenes": by("scene_kind"),
        "classes": by("topic"),
        "seeds": by("seed"),
        "failures": dict(Counter(each.failure for each in records if each.failure)),
    }


def _totals(records: Sequence[Record]) -> dict[str, Any]:
    right = sum(not each.failure for each in records)
    calls = [call for each in records for call in each.calls]
    return {
        "questions": len(records),
        "right": right,
        "share": right / len(records) if records else None,
        "interval": interval(records),
        "calls": len(calls),
        "bytes": sum(call.get("bytes", 0) for call in calls),
        "picture_bytes": sum(call.get("picture_bytes", 0) for call in calls),
        "tokens": sum(each.input_tokens + each.output_tokens for each in records),
        "seconds": round(sum(each.seconds for each in records), 1),
    }


def interval(records: Sequence[Record]) -> tuple[float, float] | None:
    """95 % interval of the share of right answers, scenes drawn with replacement; None with fewer than two scenes."""
    scenes = sorted({each.scene for each in records})
    if len(scenes) < 2:
        return None
    rows = [[not each.failure for each in records if each.scene == scene] for scene in scenes]
    right, total = np.array([sum(row) for row in rows]), np.array([len(row) for row in rows])
    drawn = np.random.default_rng(0).integers(len(scenes), size=(DRAWS, len(scenes)))
    shares = right[drawn].sum(1) / total[drawn].sum(1)
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def as_text(setup: Setup, records: Sequence[Record], skipped: Sequence[str] = ()) -> str:
    """A table of the questions, then the totals."""
    lines = [f"{setup.solver}, perception: {setup.perception}, at most {setup.max_size} px", ""]
    lines += [f"{'question':26}{'seed':>5}  {'':15}{'calls':>6}{'bytes':>9}{'s':>8}  answer (truth)"]
    for each in records:
        verdict = each.failure or "right"
        said = each.error or f"{_short(each.answer)} ({_short(each.truth)})"
        size = sum(call.get("bytes", 0) for call in each.calls)
        lines.append(
            f"{each.question:26}{each.seed:>5}  {verdict:15}{len(each.calls):6}{size:9}{each.seconds:8.1f}  {said}"
        )
    facts = summary(setup, records)
    lines += [
        "",
        f"{'':22}{'right':>9}{'share':>8}  {'95 %':15}{'calls':>8}{'a question':>12}{'bytes':>10}{'tokens':>10}",
    ]
    for name, total in (("all", facts["all"]), *facts["scenes"].items(), *facts["classes"].items()):
        if total["questions"]:
            score, (low, high) = f"{total['right']}/{total['questions']}", total["interval"] or (float("nan"),) * 2
            between = f"{low:.2f} to {high:.2f}" if total["interval"] else ""
            mean = total["calls"] / total["questions"]
            lines.append(
                f"{name:22}{score:>9}{total['share']:>8.3f}  {between:15}{total['calls']:8}{mean:12.1f}{total['bytes']:10}{total['tokens']:10}"
            )
    wrong = ", ".join(f"{name} {facts['failures'][name]}" for name in FAILURES if name in facts["failures"])
    lines += ["", f"wrong by class: {wrong or 'none'}", *(f"skipped: {reason}" for reason in skipped)]
    return "\n".join(lines)


def side_by_side(first: Sequence[Record], second: Sequence[Record], names: tuple[str, str]) -> str:
    """Two runs over the questions and seeds that both have."""
    others = {(each.question, each.seed): each for each in second}
    pairs = [(each, others[each.question, each.seed]) for each in first if (each.question, each.seed) in others]
    lines = [f"{'question':26}{'seed':>5}  {names[0]:22}{names[1]:22}"]
    for pair in pairs:
        marks = "".join(f"{each.failure or 'right':15}{len(each.calls):5}  " for each in pair)
        lines.append(f"{pair[0].question:26}{pair[0].seed:>5}  {marks}")
    totals = [_totals([pair[side] for pair in pairs]) for side in (0, 1)]
    marks = "".join(f"{t['right']}/{t['questions']}".ljust(15) + f"{t['calls']:5}  " for t in totals)
    return "\n".join([*lines, f"{'all':26}{'':5}  {marks}"])


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(_short(each) for each in value) + "]"
    return str(value)[:80]
