"""The datasets that are known, and a check of a copy.

python -m evals.datasets                                            what there is
python -m evals.datasets check ROOT [--dataset NAME] [--split S]    what is missing, broken or doubled; exits 1 if anything is
"""

import argparse
import json
import sys
import textwrap
from pathlib import Path

from evals.datasets.check import Report, check, recognised
from evals.datasets.registry import DATASETS
from t2s_agent.errors import T2SError

_EVERY = 500  # samples between two lines of progress


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0, 1 where a dataset has problems, 2 where the command makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("list", help="the datasets that are known (the default)")
    checking = commands.add_parser("check", help="read every file once")
    checking.add_argument("root", type=Path)
    checking.add_argument("--dataset", choices=sorted(DATASETS), help="recognised by its layout where left out")
    checking.add_argument("--split", action="append", help="may be repeated; all where left out")
    checking.add_argument("--no-counts", action="store_true", help="do not compare with published numbers")
    checking.add_argument("--most", type=int, default=20, help="problems printed a split (0: all)")
    checking.add_argument("--json", action="store_true", help="print all as JSON")
    given = parser.parse_args(arguments)
    if given.command != "check":
        print("\n\n".join(described(name) for name in DATASETS))
        return 0
    try:
        names = [given.dataset] if given.dataset else recognised(given.root)
        reports = [
            report
            for name in names
            for report in check(name, given.root, given.split, counts=not given.no_counts, progress=_progress)
        ]
    except T2SError as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps([report.as_json() for report in reports], indent=1, ensure_ascii=False))
    else:
        print("\n".join(printed(report, given.most) for report in reports))
    return 1 if any(report.problems for report in reports) else 0


def described(name: str) -> str:
    """A dataset's card and layout, as text."""
    kind = DATASETS[name]
    card = kind.card
    numbers = [
        f"{split}: "
        + ", ".join(
            f"{number:,} {what}"
            for what in ("samples", "images", "instances")
            if (number := getattr(each, what)) is not None
        )
        for split, each in card.expected.items()
    ]
    lines = [f"{name}: {card.title}", f"cite: {card.citation}", f"licence: {card.licence}"]
    lines += [f"published: {'; '.join(numbers) or 'no numbers'}", *(f"note: {note}" for note in card.notes)]
    return "\n".join(textwrap.fill(line, 110, subsequent_indent="    ") for line in lines)


def printed(report: Report, most: int = 20) -> str:
    """A report as text; of its problems at most `most` (0: all)."""
    facts = [f"{report.read:,} of {report.total:,} listed samples read"]
    facts += [
        f"{number:,} {what}"
        for what, number in (("images", report.images), ("instances", report.instances))
        if number is not None
    ]
    lines = [f"{report.dataset} {report.split}: {', '.join(facts)}"]
    shown = report.problems[: most or None]
    lines += [f"  {problem}" for problem in shown]
    if len(shown) < len(report.problems):
        lines.append(f"  and {len(report.problems) - len(shown):,} more (--most 0 prints all)")
    lines += [f"  note: {note}" for note in report.notes[: most or None]]
    counts = ", ".join(f"{number:,} {kind}" for kind, number in sorted(report.counts().items()))
    return "\n".join([*lines, f"  {counts or 'no problems'}"])


def _progress(split: str, done: int, total: int) -> None:
    if done % _EVERY == 0:
        print(f"{split}: {done:,} of {total:,}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
