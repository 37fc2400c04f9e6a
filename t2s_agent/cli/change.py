"""Defines `t2s-agent change`: one question about two dates of a place."""

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2s_agent.api.naming import image_named, stretch_text
from t2s_agent.cli import words
from t2s_agent.cli.show import Screen, aligned
from t2s_agent.errors import T2SError
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.settings import load_settings

if TYPE_CHECKING:
    from t2s_agent.pipeline.change import Change
    from t2s_agent.regions.change import Match


def change(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="the earlier image")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="the later image of the same place")],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="what to find in both, in words")],
    bbox: Annotated[str | None, typer.Option(metavar="W,S,E,N", help="only this box, in degrees")] = None,
    bbox_crs: Annotated[
        str | None, typer.Option(metavar="CODE", help="CRS of the box: EPSG:32631, image or pixels")
    ] = None,
    bands: Annotated[str | None, typer.Option(help="bands shown as red, green and blue, such as 4,3,2")] = None,
    stretch: Annotated[
        str | None,
        typer.Option(
            metavar="LOW:HIGH",
            help="stored values shown black and white in both: 200:3000, or three with commas; or the stretch of a result or an image",
        ),
    ] = None,
    min_area_m2: Annotated[float, typer.Option(help="leave out smaller regions")] = 0.0,
    max_size: Annotated[int | None, typer.Option(help="longer side in pixels of the picture that models see")] = None,
    prompter: Annotated[str | None, typer.Option(help="nano, a hub name, a folder, URL#model, scripted:FILE")] = None,
    segmenter: Annotated[str | None, typer.Option(help="nano, a hub name, a folder, a .pth file, box")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps")] = None,
    store: Annotated[Path | None, typer.Option(help="folder of results")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write what changed to this .geojson too")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the GeoJSON instead of a table")] = False,
) -> None:
    """Print what appeared and what went between two images of a place."""
    from t2s_agent.pipeline import Engine
    from t2s_agent.pipeline.change import change as work

    if out is not None and out.suffix.lower() not in (".geojson", ".json"):
        raise T2SError("argument_invalid", f"--out {out}", "Name a file that ends in .geojson")
    where = words.box(bbox, "--bbox")
    if bbox_crs and not where:
        raise T2SError("argument_invalid", f"--bbox-crs {bbox_crs} without a box", "Add --bbox XMIN,YMIN,XMAX,YMAX")
    screen = Screen(as_json)
    settings = load_settings(prompter=prompter, segmenter=segmenter, device=device, store=store, max_size=max_size)
    before, after = (image_named(image, settings.roots) for image in (before, after))
    with screen.progress() as progress:
        engine = Engine.open(settings)
        found = work(
            engine,
            before,
            after,
            query,
            bbox=where,
            bbox_crs=bbox_crs,
            bands=bands,
            stretch=stretch_text(engine, stretch) if stretch else None,
            min_area_m2=min_area_m2,
            progress=progress,
        )
    if as_json:
        screen.json(found.collection())
    else:
        _say(screen, found)
    if out is not None:
        _write(found, out.expanduser())
        screen.note(f"written to {out}")


def _say(screen: Screen, found: "Change") -> None:
    unit, matches = found.before.unit_area, found.comparison.matches
    screen.say(found.after.query, "bold")
    if matches:
        head = [
            "change",
            "before",
            "after",
            f"area before, {unit}",
            f"area after, {unit}",
            f"difference, {unit}",
            "overlap",
        ]
        for index, line in enumerate(aligned([head, *(_row(match) for match in matches)])):
            screen.say(line, "" if index else "bold")
    else:
        screen.say("Nothing was found at either date that both pictures show.")
    facts = found.facts()
    counts = ", ".join(f"{facts[f'{kind}_count']} {kind}" for kind in ("appeared", "gone", "changed", "same"))
    undecided = ", within the plus/minus: it may be none" if facts["difference_undecided"] else ""
    difference = with_plus_minus(facts[f"difference_{unit}"], facts[f"difference_pm_{unit}"])
    screen.say(f"{counts}; difference {difference} {unit}{undecided}")
    for match in matches:
        for why in match.why:
            screen.say(f"uncertain: {match.kind} {_ids(match)}: {why}", "yellow")
    for date, ids in (("earlier", found.comparison.not_seen_before), ("later", found.comparison.not_seen_after)):
        if ids:
            other = "later" if date == "earlier" else "earlier"
            named = ", ".join(map(str, ids))
            screen.say(
                f"not compared: region {named} of the {date} date, which the {other} picture does not show", "yellow"
            )
    for warning in found.warnings():
        screen.say(f"note: {warning}", "yellow")
    screen.say(found.after.method, "dim")
    screen.say(f"{found.before.id} (before) and {found.after.id} (after)")


def _row(match: "Match") -> list[str]:
    def size(value: float, plus_minus: float, there: bool = True) -> str:
        return with_plus_minus(value, plus_minus) if there else ""

    difference = match.difference
    return [
        match.kind + (" ?" if match.why else ""),
        ",".join(map(str, match.before)),
        ",".join(map(str, match.after)),
        size(match.area_before.value, match.area_before.plus_minus, bool(match.before)),
        size(match.area_after.value, match.area_after.plus_minus, bool(match.after)),
        size(difference.value, difference.plus_minus),
        f"{match.overlap:.2f}" if match.before and match.after else "",
    ]


def _ids(match: "Match") -> str:
    return ",".join(map(str, match.after or match.before))


def _write(found: "Change", path: Path) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(found.collection(), allow_nan=False) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise T2SError(
            "output_unwritable", f"{path} cannot be written ({error.strerror})", "The two results are stored"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
