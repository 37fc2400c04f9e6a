"""Defines `t2s-agent items`: a search of a STAC API, whose answer `t2s-agent batch` and `segment` read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from t2s_agent.cli import words
from t2s_agent.errors import T2SError
from t2s_agent.settings import load_settings


def items(
    api: Annotated[str, typer.Argument(metavar="API", help="https address of the first page of a STAC API")],
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="file for the item collection")],
    collection: Annotated[list[str] | None, typer.Option(metavar="NAME", help="repeatable")] = None,
    bbox: Annotated[
        str | None, typer.Option(metavar="W,S,E,N", help="only items that touch this box, in degrees")
    ] = None,
    datetime: Annotated[str, typer.Option(metavar="TIME", help="a time or a span, such as 2024-05-01/2024-05-31")] = "",
    most: Annotated[int, typer.Option(help="at most so many items")] = 100,
) -> None:
    """Search a STAC API on an allowed host (T2S_REMOTE_HOSTS), and write the items to a file."""
    from t2s_agent.scene.remote.address import Hosts
    from t2s_agent.scene.remote.search import search_items

    settings = load_settings()
    found = search_items(
        api,
        Hosts(settings.remote_hosts, settings.remote_private_hosts),
        ca_file=settings.remote_ca_file,
        collections=collection or (),
        bbox=words.box(bbox, "--bbox"),
        datetime=datetime,
        most=most,
    )
    try:
        out.expanduser().write_text(json.dumps(found) + "\n", encoding="utf-8")
    except OSError as error:
        raise T2SError(
            "output_unwritable", f"{out} cannot be written ({error.strerror})", "Name another file"
        ) from error
    typer.echo(f"{len(found['features'])} items are in {out}")
    if signed := sum("?" in href for each in found["features"] for href in _hrefs(each)):
        typer.echo(
            f"{signed} addresses in it have a query, which may be a signature: keep the file to yourself", err=True
        )


def _hrefs(item: Any) -> Iterator[str]:
    assets = item.get("assets")
    for asset in assets.values() if isinstance(assets, dict) else ():
        if isinstance(asset, dict):
            yield str(asset.get("href", ""))
