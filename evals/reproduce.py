"""One command from weights and data to numbers beside the published ones.

    python -m evals.reproduce earthreason --model RicardoString/Think2Seg-RS-3B \\
        --segmenter facebook/sam2.1-hiera-small --data ROOT

Checks the data, asks all questions, draws the masks, scores under each protocol that applies, writes the report, and prints
expected and measured numbers side by side, each with its protocol. It prints every command that it runs: each stage can be run
again alone, and after a kill the same command goes on. Several processes: run the printed commands with a launcher.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.datasets.check import check
from evals.protocols import PROTOCOLS
from evals.report.published import published
from evals.run.__main__ import add_answer_options, add_score_options
from evals.run.__main__ import main as run
from evals.run.prompts import PROMPT_KINDS

# by dataset: the protocols of papers that report on it, then ours
APPLIES = {
    "earthreason": ("think2seg", "segearth", "t2s"),
    "rrsis_d": ("think2seg", "rmsin", "segearth", "t2s"),
    "refsegrs": ("think2seg", "rmsin", "segearth", "t2s"),
    "risbench": ("think2seg", "rmsin", "t2s"),
}
DIFFERENCES = (
    "Known differences from the paper's own code that the numbers contain: boxes that repeat another are left out above an IoU "
    "of 0.7, the first one staying (there above 0.5, the larger one staying); answers that it cannot read, but whose boxes "
    "are clear, are read; SAM runs in float32 on a CPU (there bfloat16); the draw of questions is made from ten seeds."
)
_PROBLEMS = 10  # of the data that are printed


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 where the data have problems; 2 where a stage was refused."""
    options = _parser().parse_args(arguments)
    if not _data_are_whole(options):
        return 1
    out = options.out
    scores = out / f"{Path(options.segmenter).name}-{options.prompts}"
    protocols = APPLIES[options.dataset]
    for command in (
        ["answers", "--dataset", options.dataset, "--root", str(options.data), "--split", options.split, "--prompter",
         options.model, "--out", str(out), *_given(options, _ANSWER_OPTIONS)],
        ["scores", "--answers", str(out), "--segmenter", options.segmenter, "--prompts", options.prompts, "--out", str(scores),
         *(f"--protocol={name}" for name in protocols), *_given(options, _SCORE_OPTIONS)],
        ["report", "--scores", str(scores), "--out", str(out / "report.html")],
    ):  # fmt: skip
        print(f"\n$ python -m evals.run {shlex.join(command)}", flush=True)
        if status := run(command):
            return status
    print(side_by_side(options.dataset, options.split, scores))
    return 0


def _data_are_whole(options: argparse.Namespace) -> bool:
    [report] = check(options.dataset, options.data, [options.split], counts=not options.part)
    print(f"data: {report.read} of {report.total} samples of {options.dataset}, {options.split}, can be read")
    for problem in report.problems[:_PROBLEMS]:
        print(f"  {problem}")
    if len(report.problems) > _PROBLEMS:
        print(f"  and {len(report.problems) - _PROBLEMS} more")
    if report.problems and options.on_broken == "stop":
        print("Fix the data; or go on without what is broken: --on-broken skip; or, for a part of the data: --part")
        return False
    return True


def side_by_side(dataset: str, split: str, scores: Path) -> str:
    """Expected and measured gIoU, cIoU and P@0.5 of each protocol, from its summary; an empty cell is not known."""
    lines = ["", f"{'protocol':12s}{'metric':8s}{'expected':>10s}{'measured':>10s}  95 % interval, spread over draws"]
    for name in APPLIES[dataset]:
        summary = json.loads((scores / f"summary-{name}.json").read_text(encoding="utf-8"))
        known: dict[str, float] = {}
        for each in published(dataset, split, name)[:1]:
            known = dict(each.metrics)
        metrics = [metric for metric in ("gIoU", "cIoU", "P@0.5") if metric in PROTOCOLS[name].metrics]
        lines += [_line(name, metric, known.get(metric), summary["all"]["metrics"][metric]) for metric in metrics]
        whole = summary["all"]
        lines.append(
            f"{'':12s}{whole['samples']} questions, {whole['empty']} without a target, {summary['broken']} broken, format rate "
            f"{_shown(whole['metrics']['format rate']['value']) or 'unknown'}"
        )
    sources = [
        f"expected under {each.protocol}: {each.method}, {each.source}"
        for name in APPLIES[dataset]
        for each in published(dataset, split, name)[:1]
    ]
    return "\n".join([*lines, "", *(sources or ["no published number is known to us for this split"]), DIFFERENCES])


def _line(protocol: str, metric: str, expected: float | None, measured: dict[str, Any]) -> str:
    bounds = "" if measured["low"] is None else f"{_shown(measured['low'])} to {_shown(measured['high'])}"
    spread = f", sd {_shown(measured['spread'])}" if measured["spread"] else ""
    return f"{protocol:12s}{metric:8s}{_shown(expected):>10s}{_shown(measured['value']):>10s}  {bounds}{spread}"


def _shown(share: float | None) -> str:
    """A share in per cent, as the papers print it."""
    return "" if share is None else f"{100 * share:.2f}"


_ANSWER_OPTIONS = ("view", "limit", "on_broken", "cache", "device", "style", "samples", "temperature", "seed", "max_new_tokens")  # fmt: skip
_SCORE_OPTIONS = ("embeddings", "embedding_bytes", "device")


def _given(options: argparse.Namespace, names: Sequence[str]) -> list[str]:
    values = {name: getattr(options, name) for name in names}
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value is not None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.reproduce", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", choices=APPLIES)
    parser.add_argument("--model", default="RicardoString/Think2Seg-RS-3B", help="hub name, folder, URL#model, nano")
    parser.add_argument("--segmenter", default="facebook/sam2.1-hiera-small")
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset, as it is published")
    parser.add_argument("--split", default="test")
    parser.add_argument("--prompts", choices=PROMPT_KINDS, default="box+points")
    parser.add_argument("--out", type=Path, default=Path("reproduced"))
    parser.add_argument("--part", action="store_true", help="the data are a part: do not compare their number")
    add_answer_options(parser)
    add_score_options(parser)
    parser.set_defaults(view="square:840")  # what the paper shows to both of its models
    return parser


if __name__ == "__main__":
    sys.exit(main())
