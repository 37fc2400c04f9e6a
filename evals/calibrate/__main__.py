"""python -m evals.calibrate --prompter NAME --segmenter NAME --dataset NAME --root ROOT --out FOLDER
python -m evals.calibrate report --rows FILE --calibration FILE

The first runs the models over a dataset with truth (FOLDER/rows.jsonl, gone on with after a kill), makes the table from one half of its
source images and writes FOLDER/calibration.json and FOLDER/report.json, which says how well the table holds on the other half. Put
calibration.json into the folder of the segmenter or of the prompter: results then use it. The second reports on rows that are there.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evals.calibrate.collect import collect, seed_of
from evals.calibrate.footprints import Kampala
from evals.calibrate.making import as_text, calibration_of, halves, read, report_of, with_coverage
from evals.calibrate.measures import all_of
from evals.calibrate.observed import AnswerRow, RegionRow, rows_of
from evals.datasets import Sample, open_dataset
from evals.datasets.registry import options_of
from t2s_agent.calibration import FILE, Calibration, Loaded
from t2s_agent.errors import T2SError
from t2s_agent.models import Models
from t2s_agent.settings import load_settings

_SPLIT = {"source": "source images", "block": "blocks of source images"}


def main(argv: Sequence[str]) -> None:
    """Makes a calibration, or reports on one."""
    if argv[:1] == ["report"]:
        _report(argv[1:])
    else:
        _make(argv)


def _make(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m evals.calibrate", description=__doc__)
    parser.add_argument("--prompter", default="nano")
    parser.add_argument("--segmenter", default="nano")
    parser.add_argument("--style", default="box_2_points")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dataset", default="isaid448", help="a name of evals.datasets, or kampala")
    parser.add_argument("--root", type=Path, help="the dataset's folder")
    parser.add_argument("--split", default="test")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the dataset")
    parser.add_argument("--images", type=int, default=0, help="at most so many, drawn at random; 0: all")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for rows.jsonl, calibration.json and report.json"
    )
    parser.add_argument(
        "--split-by", choices=("source", "block"), default="source", help="what the halves do not share"
    )
    parser.add_argument("--rows-only", action="store_true", help="collect rows, make no calibration")
    given = parser.parse_args(argv)
    settings = load_settings(
        prompter=given.prompter,
        segmenter=given.segmenter,
        style=given.style,
        samples=given.samples,
        device=given.device,
        store=given.out / "cache",
    )
    models = Models(settings)
    rows = given.out / "rows.jsonl"
    given.out.mkdir(parents=True, exist_ok=True)
    if given.dataset == "kampala":
        windows = Kampala(given.root)
        collect(
            windows.samples(),
            "kampala",
            models.prompter(),
            models.segmenter(),
            rows,
            view_of=windows.view,
            objects_of=windows.objects,
            say=_say,
        )
    else:
        dataset = open_dataset(given.dataset, given.root, given.split, **options_of(given.option))
        samples = _few(list(dataset.samples()), given.images)
        collect(samples, given.dataset, models.prompter(), models.segmenter(), rows, say=_say)
    if given.rows_only:
        return
    parts = halves(rows_of(rows), given.split_by)
    table = calibration_of(
        parts["calibration"],
        segmenter=models.segmenter().digest,
        prompter=models.prompter().digest,
        style=given.style,
        samples=given.samples,
        data=f"half of {' '.join([given.dataset, *given.option])}'s {given.split} split",
        split=f"half of its {_SPLIT[given.split_by]}, by a hash (evals.datasets.split_by, seed 0)",
        command="python -m evals.calibrate " + " ".join(argv),
    )
    written(table, parts["report"], given.out)


def written(table: Calibration, rows: Sequence[RegionRow | AnswerRow], out: Path) -> None:
    """Writes a table with its coverage on rows that it was not made from, and the report on them."""
    loaded = Loaded(table, "")
    regions = [row for row in rows if isinstance(row, RegionRow)]
    answers = [row for row in rows if isinstance(row, AnswerRow)]
    table = with_coverage(table, all_of(regions, answers, loaded))
    (out / FILE).write_text(table.model_dump_json(indent=1) + "\n", encoding="utf-8")
    report = report_of(rows, Loaded.read(out / FILE))
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(as_text(report))
    print(f"\nWritten: {out / FILE} and {out / 'report.json'}")


def _few(samples: list[Sample], images: int) -> list[Sample]:
    """The samples of so many images, chosen by a hash of their names; of all for 0."""
    names = sorted({sample.image_id for sample in samples}, key=lambda image: seed_of(f"order {image}"))
    kept = set(names[:images] if images else names)
    return [sample for sample in samples if sample.image_id in kept]


def _report(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.calibrate report", description="How well a calibration holds."
    )
    parser.add_argument("--rows", type=Path, required=True, help="rows.jsonl of a run of evals.calibrate")
    parser.add_argument("--calibration", type=Path, required=True, help="calibration.json, or its folder")
    parser.add_argument("--half", choices=("report", "calibration", "all"), default="report")
    parser.add_argument("--split-by", choices=("source", "block"), default="source")
    parser.add_argument("--json", type=Path, help="write the report there too")
    given = parser.parse_args(argv)
    rows = rows_of(given.rows)
    chosen = rows if given.half == "all" else halves(rows, given.split_by)[given.half]
    report = report_of(chosen, read(given.calibration))
    print(as_text(report))
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except T2SError as error:
        sys.exit(str(error))
