"""What the command line shows: text for people, JSON for machines, progress on standard error."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from t2s_agent.pipeline import Description, Replay
    from t2s_agent.results.catalogue import Summary
    from t2s_agent.results.record import Result

_ROWS = 30  # regions shown as text; all are in the files


class Screen:
    """Standard output and error of one command."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """A line on standard error that says what is being done."""
        if self._json or not self._err.is_terminal:
            yield lambda text: self._err.print(f"[dim]{escape(text)} ...[/dim]")
            return
        with self._err.status("starting ...") as status:
            yield lambda text: status.update(f"{escape(text)} ...")

    def note(self, text: str) -> None:
        """A remark on standard error."""
        self._err.print(f"[dim]{escape(text)}[/dim]")

    def result(self, result: "Result", folder: Path) -> None:
        """A result: its answer, its regions, where its files are."""
        if self._json:
            self._print_json(result.model_dump(mode="json") | {"folder": str(folder)})
            return
        out = self._out
        out.print(f"[bold]{escape(result.query)}[/bold]")
        if result.prompted.thinking:
            out.print(f"[italic]{escape(result.prompted.thinking)}[/italic]  (says {escape(result.prompter.name)})")
        if result.status == "empty":
            out.print("Nothing found.")
        else:
            out.print(self._regions(result))
            out.print(
                f"{len(result.regions)} region{'s' * (len(result.regions) != 1)}, {result.total_area:,.1f} ± {result.total_area_pm:,.1f} {result.unit_area}"
            )
        out.print(f"[dim]{escape(result.method)}[/dim]")
        for warning in result.warnings:
            out.print(f"[yellow]note: {escape(warning)}[/yellow]")
        out.print(f"{result.id}, by {escape(result.prompter.name)} and {escape(result.segmenter.name)}")
        for name in ("preview.png", "regions.geojson", "mask.tif"):
            out.print(f"  {escape(str(folder / name))}", soft_wrap=True)

    @staticmethod
    def _regions(result: "Result") -> Table:
        table = Table(
            "id",
            "label",
            f"area, {result.unit_area}",
            f"perimeter, {result.unit_length}",
            "centroid",
            "score",
            *(["agreement"] if any(region.agreement is not None for region in result.regions) else []),
            box=None,
        )
        for region in result.regions[:_ROWS]:
            table.add_row(
                str(region.id),
                escape(region.label),
                f"{region.area:,.1f} ± {region.area_pm:,.1f}",
                f"{region.perimeter:,.1f} ± {region.perimeter_pm:,.1f}",
                "{:.6f}, {:.6f}".format(*region.centroid)
                if result.located
                else "{:.1f}, {:.1f}".format(*region.centroid),
                "" if region.score is None else f"{region.score:.2f}",
                *([f"{region.agreement:.2f}"] if region.agreement is not None else []),
            )
        if len(result.regions) > _ROWS:
            table.add_row("...", f"{len(result.regions) - _ROWS} more")
        return table

    def description(self, said: "Description") -> None:
        """Measured facts, then what a model claims."""
        if self._json:
            self._print_json(said.model_dump(mode="json"))
            return
        self._out.print(f"[bold]{escape(said.subject)}[/bold]")
        self._out.print(f"[dim]measured; {escape(said.method)}[/dim]")
        for name, value in said.measured.items():
            rows = value if isinstance(value, list) and value and isinstance(value[0], dict) else None
            self._out.print(f"  {name}:" + ("" if rows else f" {escape(str(value))}"))
            for row in rows or ():
                self._out.print("    " + ", ".join(f"{k} {escape(str(v))}" for k, v in row.items() if v != ""))
        if said.question:
            self._out.print(
                f"[dim]claimed by {escape(said.claimed_by)}, not measured; asked: {escape(said.question)}[/dim]"
            )
            self._out.print(f"  {escape(said.claimed) or '(no answer)'}")

    def replayed(self, done: "Replay") -> None:
        """The steps of a replay and the first that differs."""
        first = done.first_difference
        if self._json:
            steps = [{"step": s.name, "same": s.same, "then": s.then, "now": s.now} for s in done.steps]
            self._print_json(
                {"result": done.result_id, "first_difference": first.name if first else None, "steps": steps}
            )
            return
        for step in done.steps:
            self._out.print(f"  {'same     ' if step.same else '[red]different[/red]'}  {step.name}")
        said = (
            f"The first step that differs is [bold]{first.name}[/bold]." if first else "Everything came out the same."
        )
        self._out.print(f"{said} The replay is {done.result_id}.")

    def listed(self, results: Sequence["Summary"], damaged: Sequence[str]) -> None:
        """Results, newest first."""
        if self._json:
            keys = {"id", "created_utc", "operation", "query", "status", "total_area", "unit_area", "parents"}
            self._print_json(
                {"results": [r.model_dump(mode="json", include=keys) for r in results], "damaged": list(damaged)}
            )
            return
        table = Table("id", "made", "operation", "question", "regions", "area", box=None)
        for r in results:
            area = f"{r.total_area:,.0f} {r.unit_area}"
            table.add_row(r.id, r.created_utc[:16], r.operation, escape(r.query[:60]), str(r.count), area)
        self._out.print(table if results else "No results yet.")
        for id_ in damaged:
            self._out.print(f"[yellow]note: {id_} is damaged[/yellow]")

    def examined(self, report: dict[str, Any]) -> None:
        """What the doctor found."""
        if self._json:
            self._print_json(report)
            return
        for section, rows in report.items():
            self._out.print(f"[bold]{escape(section)}[/bold]")
            for name, value in rows.items():
                if section == "settings":
                    shown = "none" if value["value"] in (None, [], "") else str(value["value"])
                    self._out.print(f"  {name}: {escape(shown)} [dim]({value['from']}) {escape(value['means'])}[/dim]")
                else:
                    self._out.print(f"  {escape(str(name))}: {escape(str(value))}")

    def _print_json(self, value: Any) -> None:
        print(json.dumps(value, indent=1, ensure_ascii=False))
