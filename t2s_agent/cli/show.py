"""What the command line shows: text for people, JSON for machines, progress on standard error.

Nothing that is shown is read as markup, and nothing that a person needs is cut: lines are as long as they are, and a terminal
wraps them. Words of files and models are freed of control characters first.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from t2s_agent.regions.plus_minus import LEVEL
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.results.files import MASK, PREVIEW, REGIONS
from t2s_agent.text import one_line, plain

if TYPE_CHECKING:
    from t2s_agent.pipeline import Description, Replay
    from t2s_agent.regions.table import Table
    from t2s_agent.results.record import Change, Record, RegionRecord

_ROWS = 30  # regions shown on a terminal; all are in the files
_LONGEST = 4_000  # characters of one value
_NOTHING = {
    "empty": "Nothing found",
    "partly": "Nothing found",
    "not_understood": "Not understood: nothing is said about what is there",
}


class Screen:
    """Standard output and error of one command. `verbose`, for all of them: versions and timings too."""

    verbose = False

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._out = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)

    @property
    def terminal(self) -> bool:
        """Whether a person reads standard output."""
        return sys.stdout.isatty()

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """A line on standard error that says what is being done."""
        if self._json or not self._err.is_terminal:
            yield lambda text: self.note(f"{text} ...")
            return
        with self._err.status(Text("starting ...")) as status:
            yield lambda text: status.update(Text(f"{one_line(text, _LONGEST)} ..."))

    def note(self, text: str, style: str = "dim") -> None:
        """A remark on standard error, one line."""
        if text:
            self._err.print(Text(one_line(text, _LONGEST), style))

    def say(self, text: str, style: str = "") -> None:
        """A line (or lines) on standard output."""
        self._out.print(Text(plain(text, 100_000), style))

    def result(self, result: "Record", folder: Path) -> None:
        """A result: its answer, its regions, where its files are."""
        if self._json:
            self.json(result.model_dump(mode="json") | {"folder": str(folder)})
            self._timed(result)
            return
        self.say(one_line(result.query, _LONGEST), "bold")
        if result.prompted.thinking:
            self.say(f"{result.prompted.thinking}  (says {one_line(result.prompter.name, 200)})", "italic")
        if result.regions:
            self._regions(result)
            total = f"{with_plus_minus(result.total_area, result.total_area_pm)} {result.unit_area}"
            self.say(f"{len(result.regions)} region{'s' * (len(result.regions) != 1)}{_count(result)}, {total}")
        else:
            nothing = (
                "Nothing is left" if result.left_out else _NOTHING.get(result.status, f"No regions ({result.status})")
            )
            self.say(f"{nothing}{_unseen(result)}{_count(result)}.")
        self.say(f"{result.method}{_looked_at(result)}", "dim")
        for change in result.changes:
            self.say(_change(change, result.unit_area))
        if result.left_out:
            self.say("left out: " + ", ".join(f"{count} by {name}" for name, count in result.left_out.items()))
        for warning in result.warnings:
            self.say(f"note: {one_line(warning, _LONGEST)}", "yellow")
        models = f"{one_line(result.prompter.name, 200)} and {one_line(result.segmenter.name, 200)}"
        self.say(f"{result.id}, by {models}")
        for name in (PREVIEW, REGIONS, MASK):
            self.say(f"  {one_line(str(folder / name), _LONGEST)}")
        self._timed(result)

    def _timed(self, result: "Record") -> None:
        if self.verbose:
            self.note("seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in result.seconds.items()))

    def _regions(self, result: "Record") -> None:
        shown = result.regions[:_ROWS] if self.terminal else result.regions
        columns: dict[str, Callable[[RegionRecord], str]] = {"id": lambda r: str(r.id)}
        if result.parents:
            columns["was"] = lambda r: "" if r.was is None else str(r.was)
        if any(region.label for region in shown):
            columns["label"] = lambda r: one_line(r.label, 80)
        columns |= {
            f"area, {result.unit_area}": lambda r: with_plus_minus(r.area, r.area_pm),
            f"perimeter, {result.unit_length}": lambda r: with_plus_minus(r.perimeter, r.perimeter_pm),
            "centroid": lambda r: ", ".join(map(str, r.centroid)),
            "score": lambda r: "" if r.score is None else f"{r.score:.2f}",
        }
        if any(region.probability is not None for region in shown):
            columns["probability"] = _probability
        if any(region.agreement is not None for region in shown):
            columns["agreement"] = lambda r: "" if r.agreement is None else f"{r.agreement:.2f}"
        rows = [list(columns), *([cell(region) for cell in columns.values()] for region in shown)]
        for i, line in enumerate(aligned(rows)):
            self.say(line, "" if i else "bold")
        if len(shown) < len(result.regions):
            self.say(f"... and {len(result.regions) - len(shown)} more, in {REGIONS}")

    def description(self, said: "Description") -> None:
        """Measured facts, then what a model claims."""
        if self._json:
            self.json(said.model_dump(mode="json"))
            return
        self.say(one_line(said.subject, _LONGEST), "bold")
        self.say(f"measured; {said.method}", "dim")
        for name, value in said.measured.items():
            rows = value if isinstance(value, list) and value and isinstance(value[0], dict) else None
            self.say(f"  {name}:" + ("" if rows else f" {_words(value)}"))
            for row in rows or ():
                self.say("    " + _words(row))
        if said.table is not None:
            self._table(said.table)
        if said.question:
            asked = f"{one_line(said.claimed_by, 200)}, not measured; asked: {one_line(said.question, _LONGEST)}"
            self.say(f"claimed by {asked}", "dim")
            self.say(f"  {plain(said.claimed, _LONGEST) or '(no answer)'}")

    def _table(self, table: "Table") -> None:
        """Rows of regions, each column as wide as its widest cell."""
        rows = [list(table.columns), *([_cell(value) for value in row] for row in table.rows)]
        for i, line in enumerate(aligned(rows)):
            self.say(line, "" if i else "bold")
        if len(table.rows) < table.total:
            self.say(f"{len(table.rows)} of {table.total} regions")

    def replayed(self, done: "Replay") -> None:
        """The steps of a replay and the first that differs."""
        first = done.first_difference
        if self._json:
            steps = [{"step": s.name, "same": s.same, "then": s.then, "now": s.now} for s in done.steps]
            self.json({"result": done.result_id, "first_difference": first.name if first else None, "steps": steps})
            return
        for step in done.steps:
            self.say(f"  {'same     ' if step.same else 'different'}  {step.name}", "" if step.same else "red")
        said = f"The first step that differs is {first.name}." if first else "Everything came out the same."
        self.say(f"{said} The replay is {done.result_id}.")

    def examined(self, report: dict[str, Any]) -> None:
        """What the doctor found."""
        if self._json:
            self.json(report)
            return
        for section, rows in report.items():
            self.say(section, "bold")
            for name, value in rows.items():
                if section == "settings":
                    shown = "none" if value["value"] in (None, [], "") else str(value["value"])
                    self.say(f"  {name}: {one_line(shown, _LONGEST)} ({value['from']}) {value['means']}")
                else:
                    self.say(f"  {name}: {one_line(str(value), _LONGEST)}")

    def json(self, value: Any) -> None:
        """One document on standard output; what is not a number is null, so that every reader takes it."""
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        print(json.dumps(finite(value), indent=1, ensure_ascii=not utf8, allow_nan=False))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as its widest cell; nothing is cut and no line ends in blanks."""
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def finite(value: Any) -> Any:
    """A JSON value with None for each number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


def _cell(value: Any) -> str:
    return "" if value is None else "yes" if value is True else "no" if value is False else _words(value)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(each)}" for name, each in value.items() if each not in ("", None))
    if isinstance(value, list | tuple):
        return ", ".join(_words(each) for each in value)
    return "unknown" if value is None else one_line(str(value), _LONGEST)


def _change(change: "Change", unit: str) -> str:
    """What a correction did to a region, in a line."""
    name = f"region {change.region}" if change.region else f"region {change.was} of the result before"
    sizes = (
        f"from {change.area_before:g} to {change.area_after:g} {unit}"
        if change.was
        else f"{change.area_after:g} {unit}"
    )
    return f"changed: {name}, {sizes} ({one_line(change.why, 200)})"


def _scale(result: "Record") -> Any:
    from t2s_agent.scene.scale import Scale

    scene = result.scene
    return Scale(scene.scene_px_per_view_px or 1.0, scene.gsd_m, scene.view_gsd_m)


def _probability(region: "RegionRecord") -> str:
    chance = "" if region.probability is None else f"{region.probability:.2f}"
    return f"{chance} unsure" if region.unsure else chance


def _count(result: "Record") -> str:
    """How many there are in truth, where a calibration knows."""
    if result.count_low is None or result.count_high is None:
        return ""
    return f" ({LEVEL}: {result.count_low} to {result.count_high} in truth)"


def _unseen(result: "Record") -> str:
    """What could not be seen, where nothing was found in a coarse view."""
    scale = _scale(result)
    return f", but objects smaller than {scale.smallest_seen} cannot be seen at this scale" if scale.coarse else ""


def _looked_at(result: "Record") -> str:
    """The scale at which the models looked, beside that of the image."""
    scale = _scale(result)
    if scale.view_gsd_m and scale.gsd_m:
        return f"; looked at {scale.view_gsd_m:.3g} m a pixel, the image has {scale.gsd_m:.3g} m"
    return f"; looked at 1 pixel for {scale.scene_px:.3g} of the image" if scale.scene_px > 1 else ""
