"""Measures how answers, counts and areas change if a scene is shifted, rotated, rescaled, hazed or brightened.

    python -m evals.robustness                                           40 questions about procedural scenes, by nano
    python -m evals.robustness --data isaid448 --root ../shared/data/isaid448
    python -m evals.robustness --prompter nano --segmenter nano --count 100 --out runs/robustness

Each answer is mapped back and compared with the answer to the unchanged image, not with the truth. If only one of the two found
anything, the IoU is 0 and the area changed by 100 %. If both found nothing, the sample is counted but left out of the means.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from evals.datasets import Sample, open_dataset
from evals.robustness.changes import MARGIN_PX
from evals.robustness.measure import answers_by_models, compare_answers
from evals.robustness.report import as_text, summary
from t2s_agent.errors import T2SError
from t2s_agent.models import Models
from t2s_agent.settings import load_settings


def main() -> None:
    given = _parser().parse_args()
    try:
        sys.exit(_run(given))
    except T2SError as error:
        sys.exit(f"robustness: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.robustness", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="procedural", help="a dataset of evals.datasets")
    parser.add_argument("--root", type=Path, help="its folder; procedural scenes need none")
    parser.add_argument("--split", default="test")
    parser.add_argument(
        "--count", type=int, default=40, help="number of samples, one for each image, from the first on"
    )
    parser.add_argument(
        "--kind", default="name", help="question kind of the question bank: name, hint, empty, ...; all for any"
    )
    parser.add_argument("--prompter", default="nano")
    parser.add_argument("--segmenter", default="nano")
    parser.add_argument("--out", type=Path, help="folder for robustness.json and robustness.txt")
    return parser


def _run(given: argparse.Namespace) -> int:
    samples = list(islice(_samples(given), given.count))
    if not samples:
        raise T2SError("argument_invalid", f"{given.data} has no question of kind {given.kind}", "Give --kind all")
    models = Models(load_settings(prompter=given.prompter, segmenter=given.segmenter))
    began, done = time.perf_counter(), 0

    def report(sample: Sample) -> None:
        nonlocal done
        done += 1
        rate = (time.perf_counter() - began) / done
        left = rate * (len(samples) - done)
        print(
            f"{done} of {len(samples)}, {rate:.1f} s each, {left:.0f} s left: {sample.id}", file=sys.stderr, flush=True
        )

    rows = compare_answers(samples, answers_by_models(models), report=report)
    facts = summary(rows)
    title = (
        f"{given.data} {given.split}, {len(samples)} questions ({given.kind}), {given.prompter} and {given.segmenter}"
    )
    text = as_text(title, facts)
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        stored: dict[str, Any] = {"title": title, "changes": facts, "rows": [asdict(row) for row in rows]}
        (given.out / "robustness.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        (given.out / "robustness.txt").write_text(text + "\n", encoding="utf-8")
    return 0


def _samples(given: argparse.Namespace) -> Any:
    """Yields the first question of the kind for each image. Procedural scenes are drawn at nano's 448 px plus the margin."""
    options = {"size": 448 + 2 * MARGIN_PX, "count": 4 * given.count} if given.data == "procedural" else {}
    seen: set[str] = set()
    for sample in open_dataset(given.data, given.root, given.split, **options).samples():
        if given.kind in ("all", sample.metadata.get("question_kind", "all")) and sample.image_id not in seen:
            seen.add(sample.image_id)
            yield sample


if __name__ == "__main__":
    main()
