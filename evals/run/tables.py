"""A summary as lines of text for the terminal."""

from collections.abc import Mapping
from typing import Any


def number(each: Mapping[str, Any] | None) -> str:
    """A metric with its interval; empty where there is none."""
    if not each or each["value"] is None:
        return ""
    bounds = "" if each["low"] is None else f" [{each['low']:.4f}, {each['high']:.4f}]"
    spread = "" if not each["spread"] else f", sd {each['spread']:.4f} over {each['draws']} draws"
    return f"{each['value']:.4f}{bounds}{spread}"


def table(summary: Mapping[str, Any]) -> str:
    """The protocol's numbers, with and without targets, and the baselines."""
    whole = summary["all"]
    total = f" of the dataset's {summary['total']}" if summary.get("total") else ""
    listing = f", {summary['problems']} more left out by problems of the listing" if summary.get("problems") else ""
    first = (
        f"{summary['protocol']}: {whole['samples']} samples{total} ({whole['empty']} without a target) in {whole['clusters']} "
        f"clusters, {whole['unknown']} more whose truth is not known, {summary['broken']} broken{listing}"
    )
    lines = [first]
    columns = {"all": whole["metrics"], **{k: v["metrics"] for k, v in summary["slices"].get("target", {}).items()}}
    for name in whole["metrics"]:
        parts = [f"{column}: {text}" for column, metrics in columns.items() if (text := number(metrics[name]))]
        if parts:
            lines.append(f"  {name:20s}" + "; ".join(parts))
    for name, scores in summary["baselines"].items():
        own = ", ".join(f"{key} {scores['metrics'][key]['value']:.4f}" for key in ("gIoU", "cIoU") if scores["metrics"][key]["value"] is not None)  # fmt: skip
        lines.append(f"  baseline {name:18s}{own}")
    return "\n".join(lines)
