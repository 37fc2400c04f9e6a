"""Prints the output of the command line: text for people, JSON for programs, progress on standard error.

No output is read as markup. Lines are not cut; a terminal wraps them. Control characters are removed from the texts of files and
models.
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

from t2s_agent.cli.remarks import on_the_command_line
from t2s_agent.regions.plus_minus import LEVEL
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.results.files import MASK, PREVIEW, REGIONS, WINDOWS
from t2s_agent.text import one_line, plain

if TYPE_CHECKING:
    from t2s_agent.pipeline import Description, Replay
    from t2s_agent.regions.table import Table
    from t2s_agent.results.record import Change, Record, RegionRecord, TilingRecord

_ROWS = 30  # regions shown on a terminal; all are in the files
_LONGEST = 4_000  # characters of one value
_NOTHING = {
    "empty": "Nothing found",
    "partly": "Nothing found",
    "not_understood": "Not understood: the result does not say what is there",
}


class Screen:
    """Standard output and error of one command. `verbose` (for all commands): print versions and timings too."""

    verbose = False

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._out = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)

    @property
    def terminal(self) -> bool:
        """Whether standard output is a terminal."""
        return sys.stdout.isatty()

    @property
    def live(self) -> bool:
        """Whether progress is one line of a terminal that changes, and not lines of a log."""
        return self._err.is_terminal and not self._json

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Yields a function that shows the current step on standard error."""
        if not self.live:
            yield lambda text: self.note(f"{text} ...")
            return
        with self._err.status(Text("starting ...")) as status:
            yield lambda text: status.update(Text(f"{one_line(text, _LONGEST)} ..."))

    def note(self, text: str, style: str = "dim") -> None:
        """Prints a note on standard error, one line."""
        if text:
            self._err.print(Text(one_line(text, _LONGEST), style))

    def say(self, text: str, style: str = "") -> None:
        """Prints a line (or lines) on standard output."""
        self._out.print(Text(plain(text, 100_000), style))

    def result(self, result: "Record", folder: Path) -> None:
        """Prints a result: its answer, its regions, the paths of its files."""
        if self._json:
            self.json(result.model_dump(mode="json") | {"folder": str(folder)})
            self._print_timings(result)
            return
        self.say(one_line(result.query, _LONGEST), "bold")
        if result.prompted.thinking:
            self.say(f"{result.prompted.thinking}  (says {one_line(result.prompter.name, 200)})", "italic")
        if result.region_count:
            self._regions(result)
            total = f"{with_plus_minus(result.total_area, result.total_area_pm)} {result.unit_area}"
            self.say(f"{result.region_count} region{'s' * (result.region_count != 1)}{_count(result)}, {total}")
        else:
            nothing = (
                "Nothing is left" if result.left_out else _NOTHING.get(result.status, f"No regions ({result.status})")
            )
            self.say(f"{nothing}{_unseen_objects(result)}{_count(result)}.")
        self.say(f"{result.method}{_view_scale(result)}{_stretch(result)}", "dim")
        if result.tiling is not None:
            self.say(_windows(result.tiling), "dim")
        for change in result.changes:
            self.say(_describe_change(change, result.unit_area))
        if result.left_out:
            self.say("left out: " + ", ".join(f"{count} by {name}" for name, count in result.left_out.items()))
        for warning in result.warnings:
            self.say(f"note: {one_line(on_the_command_line(warning, result.id), _LONGEST)}", "yellow")
        models = f"{one_line(result.prompter.name, 200)} and {one_line(result.segmenter.name, 200)}"
        self.say(f"{result.id}, by {models}")
        for name in (PREVIEW, REGIONS, MASK, WINDOWS):
            if name != WINDOWS or (folder / name).is_file():  # only of a result that was looked at in windows
                self.say(f"  {one_line(str(folder / name), _LONGEST)}")
        self._print_timings(result)

    def _print_timings(self, result: "Record") -> None:
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
        if len(shown) < result.region_count:
            self.say(f"... and {result.region_count - len(shown)} more, in {REGIONS}")

    def description(self, description: "Description") -> None:
        """Prints measured facts, then what a model claims."""
        if self._json:
            self.json(description.model_dump(mode="json"))
            return
        self.say(one_line(description.subject, _LONGEST), "bold")
        self.say(f"measured; {description.method}", "dim")
        for name, value in description.measured.items():
            rows = value if isinstance(value, list) and value and isinstance(value[0], dict) else None
            self.say(f"  {name}:" + ("" if rows else f" {_words(value)}"))
            for row in rows or ():
                self.say("    " + _words(row))
        if description.table is not None:
            self._table(description.table)
        if description.question:
            asked = f"{one_line(description.claimed_by, 200)}, not measured; asked: {one_line(description.question, _LONGEST)}"
            self.say(f"claimed by {asked}", "dim")
            self.say(f"  {plain(description.claimed, _LONGEST) or '(no answer)'}")

    def _table(self, table: "Table") -> None:
        """Prints rows of regions, each column as wide as its widest cell."""
        rows = [list(table.columns), *([_cell(value) for value in row] for row in table.rows)]
        for i, line in enumerate(aligned(rows)):
            self.say(line, "" if i else "bold")
        if len(table.rows) < table.total:
            self.say(f"{len(table.rows)} of {table.total} regions")

    def replayed(self, done: "Replay") -> None:
        """Prints the steps of a replay and the first that differs."""
        first = done.first_difference
        if self._json:
            steps = [{"step": s.name, "same": s.same, "then": s.then, "now": s.now} for s in done.steps]
            self.json({"result": done.result_id, "first_difference": first.name if first else None, "steps": steps})
            return
        for step in done.steps:
            self.say(f"  {'same     ' if step.same else 'different'}  {step.name}", "" if step.same else "red")
        summary = f"The first step that differs is {first.name}." if first else "All steps gave the same result."
        self.say(f"{summary} The replay is {done.result_id}.")

    def report_checks(self, report: dict[str, Any]) -> None:
        """Prints the report of `doctor`."""
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
        """Prints one JSON document on standard output; NaN and infinity become null, so that every JSON reader accepts it."""
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        print(json.dumps(finite(value), indent=1, ensure_ascii=not utf8, allow_nan=False))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns rows as lines, each column as wide as its widest cell; nothing is cut, and no line ends in spaces."""
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def finite(value: Any) -> Any:
    """Returns a JSON value with None for each number that is not finite."""
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


def _describe_change(change: "Change", unit: str) -> str:
    """Describes what a correction did to a region, in one line."""
    name = f"region {change.region}" if change.region else f"region {change.was} of the earlier result"
    sizes = (
        f"from {change.area_before:g} to {change.area_after:g} {unit}"
        if change.was
        else f"{change.area_after:g} {unit}"
    )
    return f"changed: {name}, {sizes} ({one_line(change.why, 200)})"


def _scale(result: "Record") -> Any:
    from t2s_agent.scene.scale import Scale

    scene = result.scene
    enough = result.tiling is not None and bool(result.tiling.chosen_because)
    return Scale(scene.scene_px_per_view_px or 1.0, scene.gsd_m, scene.view_gsd_m, enough)


def _probability(region: "RegionRecord") -> str:
    chance = "" if region.probability is None else f"{region.probability:.2f}"
    return f"{chance} unsure" if region.unsure else chance


def _count(result: "Record") -> str:
    """Returns the calibrated range of the true count, "" without one."""
    if result.count_low is None or result.count_high is None:
        return ""
    return f" ({LEVEL}: {result.count_low} to {result.count_high} in truth)"


def _unseen_objects(result: "Record") -> str:
    """Returns the smallest visible size, for a result without regions in a coarse view."""
    scale = _scale(result)
    return f", but objects smaller than {scale.smallest_seen} cannot be seen at this scale" if scale.coarse else ""


def _stretch(result: "Record") -> str:
    """The stretch that was named; empty where it was measured in the image."""
    stretch = result.scene.stretch
    return f"; shown with the named stretch {stretch.words}" if stretch is not None and stretch.named else ""


def _windows(tiling: "TilingRecord") -> str:
    """How much of a large scene was looked at, and at what resolution."""
    at = f" at {tiling.gsd_m:.3g} m a pixel" if tiling.gsd_m else ""
    looked = f"looked at {tiling.looked_at} of {tiling.windows} windows of {tiling.tile} px{at}"
    missing = tiling.share_not_looked_at
    return f"{looked}; {missing:.0%} of the area was not looked at" if missing else looked


def _view_scale(result: "Record") -> str:
    """Returns the scale of the picture that the models saw, and that of the image."""
    scale = _scale(result)
    if scale.view_gsd_m and scale.gsd_m:
        return f"; viewed at {scale.view_gsd_m:.3g} m per pixel, the image has {scale.gsd_m:.3g} m"
    return f"; viewed at 1 pixel per {scale.scene_px:.3g} pixels of the image" if scale.scene_px > 1 else ""
