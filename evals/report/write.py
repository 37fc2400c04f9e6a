"""Collects what the report shows and writes it as one file that loads nothing."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evals.datasets.registry import open_dataset
from evals.datasets.sample import Sample
from evals.metrics.ratios import RESAMPLES
from evals.metrics.row import Row
from evals.protocols import PROTOCOLS
from evals.report.charts import Chart, Line, Point
from evals.report.gallery import Picture, chosen, picture, row_iou
from evals.report.published import published
from evals.run.records import header_of, rows_of
from evals.run.scores import read_scores
from evals.run.summary import summary_of
from t2s_agent.errors import T2SError

_STEPS = 41  # of the curve of IoU
_MOST_SLICES = 30  # values of a kind of slice that a table shows


@dataclass(frozen=True, slots=True)
class Run:
    """A file of scores as the report shows it."""

    name: str
    facts: Mapping[str, Any]
    rows: Sequence[Row]
    summaries: Mapping[str, Mapping[str, Any]]
    galleries: Mapping[str, Sequence[Picture]]


def write_report(
    scores: Sequence[Path],
    out: Path,
    *,
    samples: Iterable[Sample] | None = None,
    calibration: Path | None = None,
    gallery: int = 8,
    resamples: int = RESAMPLES,
) -> Path:
    """Writes the report of one or several files of scores over one dataset to `out`.

    `samples` are the dataset's; without them it is opened as the answers were. `calibration` is a JSON file
    {"charts": [{title, x, y, diagonal, lines: [{name, points: [[x, y] or [x, y, low, high]]}]}], "notes": [text]}.
    """
    if not scores:
        raise T2SError("argument_invalid", "there are no scores to report", "Name at least one file of scores")
    headers = [header_of(path) for path in scores]
    datasets = {json.dumps(header["notes"]["dataset"], sort_keys=True) for header in headers}
    if len(datasets) != 1:
        raise T2SError(
            "argument_invalid", "the scores are over different datasets", "Write one report for each dataset"
        )
    facts = headers[0]["notes"]["dataset"]
    runs = [_run(path, header, samples, gallery, resamples) for path, header in zip(scores, headers, strict=True)]
    page = _page(runs, facts, _calibration(calibration))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise T2SError("output_unwritable", f"{out} cannot be written", "Name another file with --out") from error
    return out


def _run(path: Path, header: Mapping[str, Any], samples: Iterable[Sample] | None, gallery: int, resamples: int) -> Run:
    notes, settings = header["notes"], header["settings"]
    rows, broken = read_scores(path)
    summaries = {
        name: {
            **summary_of(rows, protocol, broken=broken, resamples=resamples),
            "total": notes.get("total"),
            "problems": notes.get("problems", 0),
        }
        for name, protocol in PROTOCOLS.items()
    }
    wanted = chosen(rows, gallery)
    ids = {row.id for each in wanted.values() for row in each}
    masks = {plain["id"]: plain["mask"] for plain in rows_of(path) if plain["id"] in ids}
    answers = {plain["id"]: plain for plain in rows_of(Path(notes["answers"])) if plain["id"] in ids}
    found = {sample.id: sample for sample in (samples or _opened(notes)) if sample.id in ids}
    pictures = {
        row.id: picture(found[row.id], row, answers[row.id], masks[row.id]) for each in wanted.values() for row in each
    }
    facts = {
        "prompter": header_of(Path(notes["answers"]))["settings"]["prompter"],
        "segmenter": settings["segmenter"],
        "prompts": settings["prompts"],
        "view": notes["view"],
    }
    return Run(
        f"{Path(str(facts['prompter'])).name} + {Path(str(facts['segmenter'])).name}, {facts['prompts']}",
        facts,
        rows,
        summaries,
        {name: [pictures[row.id] for row in each] for name, each in wanted.items()},
    )


def _opened(notes: Mapping[str, Any]) -> Iterable[Sample]:
    facts = notes["dataset"]
    return open_dataset(
        facts["name"], notes["root"] or None, facts["split"], on_broken="skip", **facts["options"]
    ).samples()


def _page(runs: Sequence[Run], dataset: Mapping[str, Any], calibration: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        runs=runs,
        dataset=dataset,
        protocols=[
            (protocol, _metric_names(runs, protocol.name), published(dataset["name"], dataset["split"], protocol.name))
            for protocol in PROTOCOLS.values()
        ],
        charts=_charts(runs),
        calibration=calibration,
        most_slices=_MOST_SLICES,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _metric_names(runs: Sequence[Run], protocol: str) -> list[str]:
    """The protocol's own metrics, those first that a run has a value for."""
    return [
        name
        for name in PROTOCOLS[protocol].metrics
        if any(run.summaries[protocol]["all"]["metrics"][name]["value"] is not None for run in runs)
    ]


def _charts(runs: Sequence[Run]) -> list[Chart]:
    steps = [k / (_STEPS - 1) for k in range(_STEPS)]
    curves = []
    for run in runs:
        values = [row_iou(row) for row in run.rows if row.known and not row.truth_is_empty]
        if values:
            curves.append(Line(run.name, [Point(k, sum(v >= k for v in values) / len(values)) for k in steps]))
    charts = [Chart("Samples with a target whose IoU is at least k", "k", "share", curves)] if curves else []
    for kind, title in (("size", "gIoU by size of the target"), ("gsd", "gIoU by ground sample distance")):
        names = _values(runs, kind)
        lines = []
        for run in runs:
            found = run.summaries["t2s"]["slices"].get(kind, {})
            points = [
                Point(float(i), m["value"], m["low"], m["high"])
                for i, value in enumerate(names)
                if value in found and (m := found[value]["metrics"]["gIoU"])["value"] is not None
            ]
            lines.append(Line(run.name, points))
        ticks = [(float(place), value) for place, value in enumerate(names)]
        if names:
            charts.append(Chart(title, "", "gIoU", lines, ticks=ticks, joined=False))
    return charts


def _values(runs: Sequence[Run], kind: str) -> list[str]:
    order = {"small": 0, "medium": 1, "large": 2}
    found = {value for run in runs for value in run.summaries["t2s"]["slices"].get(kind, {})}
    return sorted(found, key=lambda value: (order.get(value, 9), value))


def _calibration(path: Path | None) -> dict[str, Any]:
    """Charts and notes of a calibration's JSON; empty where none is given."""
    if path is None:
        return {"charts": [], "notes": []}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        charts = [
            Chart(
                each["title"],
                each["x"],
                each["y"],
                [Line(line["name"], [Point(*point) for point in line["points"]]) for line in each["lines"]],
                diagonal=bool(each.get("diagonal")),
            )
            for each in plain["charts"]
        ]
        return {"charts": charts, "notes": [str(note) for note in plain.get("notes", [])]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise T2SError(
            "argument_invalid",
            f"{path.name} is not a calibration's JSON ({type(error).__name__}: {error})",
            'Give {"charts": [{"title", "x", "y", "lines": [{"name", "points": [[x, y]]}]}], "notes": []}',
        ) from error
