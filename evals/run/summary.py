"""A file of scores to a protocol's numbers: the whole, with and without empty targets, slices, and the trivial baselines."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.metrics.ratios import RESAMPLES
from evals.metrics.row import BASELINES, Row
from evals.protocols.protocol import Protocol
from evals.protocols.scoring import Scores, by_slice, score
from evals.run.records import header_of
from evals.run.scores import read_scores


def summary_of(
    rows: Sequence[Row], protocol: Protocol, *, broken: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """The numbers as JSON knows them, with where they come from: protocol and its source, samples, images.

    A number is {value, low, high, spread, draws}; value is null where there is no sample to tell it.
    """
    return {
        "protocol": protocol.name,
        "source": protocol.source,
        "broken": broken,
        "all": _plain(score(rows, protocol, resamples=resamples)),
        "baselines": {
            name: _plain(score([row.baseline(name) for row in rows], protocol, resamples=0)) for name in BASELINES
        },
        "slices": {
            kind: {value: _plain(scores) for value, scores in found.items()}
            for kind, found in by_slice(rows, protocol, resamples=resamples).items()
        },
    }


def _plain(scores: Scores) -> dict[str, Any]:
    plain = asdict(scores)
    del plain["protocol"]
    return plain


def write_summary(scores: Path, protocol: Protocol, *, resamples: int = RESAMPLES) -> Path:
    """Writes the summary of a file of scores beside it, named after the protocol: from the rows alone."""
    rows, broken = read_scores(scores, protocol.grid)
    header = header_of(scores)
    total = header["notes"].get("total")
    problems = header["notes"].get("problems", 0)
    facts = {
        "total": total,
        "problems": problems,
        "settings": header["settings"],
        "answers": header["notes"],
        "hash": header["hash"],
    }
    path = scores.with_name(f"summary-{protocol.name}.json")
    fresh = path.with_suffix(".new")
    summary = {**facts, **summary_of(rows, protocol, broken=broken, resamples=resamples)}
    fresh.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path
