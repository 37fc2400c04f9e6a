"""Defines `t2s-agent results`, which lists the results of the store, one per line; and `show` and `delete`."""

import fnmatch
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2s_agent.api.naming import result_id
from t2s_agent.cli import words
from t2s_agent.cli.files import OUT_HELP, checked_out, copied
from t2s_agent.cli.show import Screen, aligned
from t2s_agent.errors import T2SError
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.settings import load_settings
from t2s_agent.text import one_line

if TYPE_CHECKING:
    from t2s_agent.results.catalogue import Summary
    from t2s_agent.results.store import ResultStore

_SHOWN = 30  # results listed on a terminal
_LEAST = 20  # columns for the question; if a terminal has fewer left, lines are wrapped instead

Json = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
Store = Annotated[Path | None, typer.Option(help="folder of results")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="an id, the beginning of one, or `last`")]

app = typer.Typer(no_args_is_help=False)


@app.callback(invoke_without_command=True)
def results(
    ctx: typer.Context,
    image: Annotated[
        str | None, typer.Option(help="only images whose name contains this text or matches this pattern")
    ] = None,
    query: Annotated[str | None, typer.Option(help="only results whose question contains this text")] = None,
    status: Annotated[str | None, typer.Option(help="only those with this status, such as found or empty")] = None,
    since: Annotated[str | None, typer.Option(help="only newer ones: 2026-03-01, 12h, 7d (UTC)")] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="at most this many; 0: all. Default: 30 on a terminal, all in a pipe")
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """List the results in the store, newest first.

    In a pipe: one result per line, with tabs between id, time (UTC), operation, status, regions, area, unit, image, question.
    """
    ctx.obj = store
    if ctx.invoked_subcommand:
        return
    known = _statuses()
    if status is not None and status not in known:
        raise T2SError("argument_invalid", f"--status {status}", f"Choose from {', '.join(known)}")
    after = words.since(since).isoformat(timespec="milliseconds") if since else ""
    found, damaged = _store(store).listed()
    kept = [summary for summary in found if _matches(summary, image, query, status, after)]
    screen = Screen(as_json)
    if limit is None:
        limit = _SHOWN if screen.terminal and not as_json else 0
    shown = kept[:limit] if limit else kept
    if as_json:
        listed = [_listed_fields(result) for result in shown]
        screen.json({"results": listed, "left_out": len(kept) - len(shown), "damaged": list(damaged)})
        return
    if screen.terminal:
        for line in _table_lines(shown):
            screen.say(line)
    else:
        for line in _tab_lines(shown):
            print(line)  # a rich console would turn tabs into spaces
    if not kept:
        screen.note("No results match." if found else "No results yet.")
    if len(shown) < len(kept):
        screen.note(f"{len(kept) - len(shown)} more; --limit 0 lists all")
    for id_ in damaged:
        screen.note(f"note: {id_} is damaged", "yellow")


@app.command()
def show(
    ctx: typer.Context,
    result: str,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Show a stored result: an id, the beginning of one, or `last`. With --out, also write it as files."""
    out = checked_out(out)
    place = _store(store or ctx.obj)
    found = place.load(result_id(place, result))
    screen = Screen(as_json)
    screen.result(found, place.folder / found.id)
    screen.note(copied(found, place.folder / found.id, out))


@app.command()
def delete(
    ctx: typer.Context,
    ids: Ids,
    force: Annotated[bool, typer.Option("--force", help="also delete results that others were made from")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    store: Store = None,
) -> None:
    """Delete results with their files, permanently."""
    place = _store(store or ctx.obj)
    there, damaged = place.listed()
    chosen = list(dict.fromkeys(each if each in damaged else result_id(place, each) for each in ids))
    screen = Screen(as_json=False)
    children = [
        (parent, result.id)
        for result in there
        if result.id not in chosen
        for parent in result.parents
        if parent in chosen
    ]
    if children and not force:
        parent, child = children[0]
        more = f" and {len(children) - 1} more" if len(children) > 1 else ""
        raise T2SError(
            "argument_invalid",
            f"{parent} is a parent of {child}{more}, which could then no longer be replayed",
            "Delete those too, or add --force",
        )
    if not yes:
        if not sys.stdin.isatty():
            raise T2SError(
                "argument_invalid", "deleting needs a confirmation, and the input is no terminal", "Add --yes"
            )
        if not typer.confirm(f"Delete {', '.join(chosen)} permanently?"):
            screen.note("nothing was deleted")
            return
    for id_ in chosen:
        place.delete(id_)
        screen.say(f"deleted {id_}")


def _store(folder: Path | None) -> "ResultStore":
    from t2s_agent.results.store import ResultStore

    return ResultStore(load_settings(store=folder).store)


def _statuses() -> tuple[str, ...]:
    from typing import get_args

    from t2s_agent.results.record import Record

    return get_args(Record.model_fields["status"].annotation)


def _matches(result: "Summary", image: str | None, query: str | None, status: str | None, after: str) -> bool:
    if image is not None:
        name, wanted = result.image.casefold(), image.rsplit("/", 1)[-1].casefold()
        if wanted not in name and not fnmatch.fnmatchcase(name, wanted):
            return False
    if query is not None and query.casefold() not in result.query.casefold():
        return False
    return (status is None or result.status == status) and result.created_utc >= after


def _listed_fields(result: "Summary") -> dict[str, Any]:
    facts = result.model_dump(mode="json")
    return facts | {"regions": facts.pop("count")}


def _tab_lines(results: Sequence["Summary"]) -> list[str]:
    return [
        "\t".join(
            (
                r.id,
                f"{r.created_utc[:19]}Z",
                r.operation,
                r.status,
                str(r.count),
                str(r.total_area),
                r.unit_area,
                one_line(r.image, 1_000),
                one_line(r.query, 10_000),
            )
        )
        for r in results
    ]


def _table_lines(results: Sequence["Summary"]) -> list[str]:
    if not results:
        return []
    rows = [["id", "made (UTC)", "operation", "regions", "area", "±", "image", ""]]
    for r in results:
        area = f"{with_plus_minus(r.total_area, r.total_area_pm)} {r.unit_area}"
        found = str(r.count) if r.count else r.status
        name = one_line(r.image, 1_000)
        rows.append(
            [
                r.id,
                r.created_utc[:16].replace("T", " "),
                r.operation,
                found,
                area,
                r.pm_level.partition(":")[0],
                name,
                "",
            ]
        )
    begun = aligned(rows)
    left = shutil.get_terminal_size().columns - max(map(len, begun)) - 2
    questions = ["question", *(one_line(r.query, left if left >= _LEAST else 10_000) for r in results)]
    widest = max(map(len, begun))
    return [f"{line:<{widest}}  {question}" for line, question in zip(begun, questions, strict=True)]
