"""Makes a `calibration.json` from collected rows, and the report of how well it holds where nothing was chosen."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from evals.calibrate.abstention import abstention
from evals.calibrate.fit import cut_of, features_of, for_prompts, probability, totals
from evals.calibrate.measures import Held, all_of, at_cut, per_class, reliability
from evals.calibrate.observed import AnswerRow, RegionRow, Row
from evals.datasets.splits import parts_of_values
from t2s_agent.calibration import LEVEL, Calibration, Coverage, Loaded, Made
from t2s_agent.errors import T2SError

HALVES = {"calibration": 0.5, "report": 0.5}


By = Literal["source", "block"]


def halves(rows: Sequence[Row], by: By = "source") -> dict[str, list[Row]]:
    """The rows of each half; no source image is in both, or no block of images that may show one place."""
    part_of = parts_of_values((_group(row, by) for row in rows), HALVES)
    found: dict[str, list[Row]] = {name: [] for name in HALVES}
    for row in rows:
        found[part_of[_group(row, by)]].append(row)
    return found


def _group(row: Row, by: By) -> str:
    if by == "block" and not row.block:
        raise T2SError(
            "argument_invalid", f"{row.image} belongs to no block", "Split by source: this dataset has no blocks"
        )
    return row.block if by == "block" else row.source


def regions_in(rows: Sequence[Row]) -> list[RegionRow]:
    return [row for row in rows if isinstance(row, RegionRow)]


def answers_in(rows: Sequence[Row]) -> list[AnswerRow]:
    return [row for row in rows if isinstance(row, AnswerRow)]


def calibration_of(
    rows: Sequence[Row],
    *,
    segmenter: str,
    prompter: str,
    style: str,
    samples: int,
    data: str,
    split: str,
    command: str = "",
) -> Calibration:
    """The tables from the rows of the calibration half; digests and settings are those of the models that made the rows."""
    regions, answers = regions_in(rows), answers_in(rows)
    tables = for_prompts(regions)
    if not tables:
        raise T2SError(
            "argument_invalid",
            "there are too few objects to calibrate with",
            "Collect more images with objects in them",
        )
    chance = probability(regions)
    table = Calibration(
        level=LEVEL,
        segmenter=segmenter,
        prompter=prompter,
        style=style,
        samples=samples,
        made=Made(
            data=data,
            split=split,
            date=datetime.now(UTC).date().isoformat(),
            images=len({row.image for row in rows}),
            command=command,
        ),
        prompts=tables,
        probability=chance,
        totals=totals(answers),
    )
    if chance is None:
        return table
    own = [row for row in regions if row.prompts == "model"]
    right = np.array([row.true is not None for row in own], bool)
    loaded = Loaded(table, "")
    return table.model_copy(update={"cut": cut_of(chances(own, loaded), right)})


def chances(rows: Sequence[RegionRow], loaded: Loaded) -> np.ndarray:
    """The probability of each region to be what was asked for."""
    return np.array([loaded.probability(features_of(row)) or 0.0 for row in rows])


def with_coverage(table: Calibration, held: Sequence[Held]) -> Calibration:
    """The table with what was measured on the other half: pooled and by size."""
    kept = tuple(
        Coverage(
            prompts=each.prompts,
            measure=each.what,
            slice=each.slice,
            n=each.n,
            covered=round(each.covered, 4),
            half_width=round(each.half_width, 4),
        )
        for each in held
        if each.slice.startswith(("all", "size", "found"))
    )
    return table.model_copy(update={"coverage": kept})


def report_of(rows: Sequence[Row], loaded: Loaded) -> dict[str, Any]:
    """Everything that is measured on rows: JSON values."""
    regions, answers = regions_in(rows), answers_in(rows)
    held = all_of(regions, answers, loaded)
    found: dict[str, Any] = {
        "images": len({row.image for row in rows}),
        "regions": len(regions),
        "answers": len(answers),
        "coverage": [
            {**dataclasses.asdict(each), "holds": each.holds, "wider_than_needed": each.wide} for each in held
        ],
        "abstention": abstention(regions, answers, lambda own: chances(own, loaded)),
    }
    own = [row for row in regions if row.prompts == "model"]
    if own and loaded.table.probability is not None:
        right = np.array([row.true is not None for row in own], bool)
        said = chances(own, loaded)
        raw = np.array([row.score or 0.0 for row in own])
        objects = sum(row.true_count for row in answers if row.known)
        cut = loaded.table.cut or 0.0
        found["probability"] = {
            "regions": len(own),
            "right": float(right.mean()),
            "score_as_probability": dataclasses.asdict(reliability(raw, right)),
            "calibrated": dataclasses.asdict(reliability(said, right)),
            "cut": loaded.table.cut,
            "before_cut": dataclasses.asdict(at_cut(said, right, objects, 0.0)),
            "after_cut": dataclasses.asdict(at_cut(said, right, objects, cut)),
            "before_cut_mean_of_classes": dataclasses.asdict(per_class(own, answers, said, 0.0)),
            "after_cut_mean_of_classes": dataclasses.asdict(per_class(own, answers, said, cut)),
            "unsure": int((said < cut).sum()),
            "unsure_mean_iou": float(np.mean([row.iou for row, p in zip(own, said, strict=True) if p < cut] or [0.0])),
            "sure_mean_iou": float(np.mean([row.iou for row, p in zip(own, said, strict=True) if p >= cut] or [0.0])),
        }
    return found


def as_text(report: Mapping[str, Any]) -> str:
    """The report as a table for a terminal."""
    lines = [f"{report['images']} images, {report['regions']} regions, {report['answers']} answers", ""]
    lines.append(f"{'what':<10} {'prompts':<11} {'slice':<24} {'n':>5}  before (half)   after (half)    95 % interval")
    for row in report["coverage"]:
        mark = "" if row["holds"] else "  DOES NOT HOLD"
        mark = "  wide" if row["wider_than_needed"] else mark
        lines.append(
            f"{row['what']:<10} {row['prompts']:<11} {row['slice']:<24} {row['n']:>5}  "
            f"{row['before']:.2f} ({row['before_half_width']:.2f})    {row['covered']:.3f} ({row['half_width']:.2f})   "
            f"{row['low']:.2f} to {row['high']:.2f}{mark}"
        )
    if (chance := report.get("probability")) is not None:
        lines += [
            "",
            f"probability: {chance['regions']} regions, {chance['right']:.3f} are what was asked for",
            f"ECE: {chance['score_as_probability']['ece']:.3f} (the segmenter's score), {chance['calibrated']['ece']:.3f} (calibrated)",
        ]
        for name in ("before_cut", "after_cut", "before_cut_mean_of_classes", "after_cut_mean_of_classes"):
            each = chance[name]
            lines.append(
                f"{name}: {each['kept']} regions, precision {each['precision']:.3f}, recall {each['recall']:.3f}, F1 {each['f1']:.3f}"
            )
        lines.append(
            f"unsure (below {chance['cut']}): {chance['unsure']} regions, mean IoU {chance['unsure_mean_iou']:.3f}; "
            f"the others {chance['sure_mean_iou']:.3f}"
        )
    lines += ["", "abstention: " + json.dumps(report["abstention"]["summary"])]
    return "\n".join(lines)


def read(path: Path) -> Loaded:
    """A calibration by its file or folder."""
    return Loaded.read(path / "calibration.json" if path.is_dir() else path)
