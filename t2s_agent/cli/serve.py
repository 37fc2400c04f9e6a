"""Defines `t2s-agent serve`: runs the MCP server over standard input and output, or over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from t2s_agent.errors import T2SError
from t2s_agent.settings import load_settings

_SERVER = "Server"
_HTTP = "HTTP"
_LIMITS = "Limits"


def serve(
    http: Annotated[bool, typer.Option("--http", help="serve HTTP instead of standard input and output")] = False,
    root: Annotated[
        list[Path] | None, typer.Option(help="folder that images may be opened from; repeatable; none: the demo scene")
    ] = None,
    prompter: Annotated[str | None, typer.Option(help="nano, a hub name, a folder, URL#model, scripted:FILE")] = None,
    segmenter: Annotated[str | None, typer.Option(help="nano, a hub name, a folder, a .pth file, box")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps")] = None,
    store: Annotated[Path | None, typer.Option(help="folder of results")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16, float16", rich_help_panel=_LIMITS)] = None,
    max_size: Annotated[
        int | None, typer.Option(help="longer side in pixels of the picture that models see", rich_help_panel=_LIMITS)
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(help="pixels of an image; a larger one is refused", rich_help_panel=_LIMITS)
    ] = None,
    read_seconds: Annotated[
        float | None, typer.Option(help="time budget of one read of an image", rich_help_panel=_LIMITS)
    ] = None,
    store_max_bytes: Annotated[
        int | None, typer.Option(help="oldest results are deleted beyond this", rich_help_panel=_LIMITS)
    ] = None,
    store_max_age_days: Annotated[
        float | None, typer.Option(help="older results are deleted", rich_help_panel=_LIMITS)
    ] = None,
    preload: Annotated[bool | None, typer.Option(help="load the models in the background after the start")] = None,
    workers: Annotated[
        int | None, typer.Option(help="calls that models work on at once", rich_help_panel=_SERVER)
    ] = None,
    max_waiting: Annotated[
        int | None, typer.Option(help="calls of one credential that may wait", rich_help_panel=_SERVER)
    ] = None,
    answer_within_s: Annotated[
        float | None, typer.Option(help="seconds after which a call is answered 'running'", rich_help_panel=_SERVER)
    ] = None,
    answer_unwatched_within_s: Annotated[
        float | None,
        typer.Option(help="the same for clients that ask for no progress; doubled each time", rich_help_panel=_SERVER),
    ] = None,
    previews: Annotated[
        bool | None, typer.Option(help="answers carry a small picture", rich_help_panel=_SERVER)
    ] = None,
    preview_size: Annotated[int | None, typer.Option(help="its longer side in pixels", rich_help_panel=_SERVER)] = None,
    structured_output: Annotated[
        bool | None, typer.Option(help="answers also as structured content", rich_help_panel=_SERVER)
    ] = None,
    resource_links: Annotated[
        str | None, typer.Option(help="auto, always, never: links to a result's files", rich_help_panel=_SERVER)
    ] = None,
    host: Annotated[str | None, typer.Option(help="address to bind", rich_help_panel=_HTTP)] = None,
    port: Annotated[int | None, typer.Option(help="port; 0 for any free one", rich_help_panel=_HTTP)] = None,
    tokens: Annotated[
        Path | None, typer.Option(help="file of 'name token' lines, read again when it changes", rich_help_panel=_HTTP)
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="a name this server is reached by; repeatable", rich_help_panel=_HTTP)
    ] = None,
    allowed_origin: Annotated[
        list[str] | None, typer.Option(help="a web origin that may call; repeatable", rich_help_panel=_HTTP)
    ] = None,
    max_body_bytes: Annotated[int | None, typer.Option(help="largest request", rich_help_panel=_HTTP)] = None,
    upload_bytes: Annotated[
        int | None, typer.Option(help="largest image that may be sent from the page; 0: none", rich_help_panel=_HTTP)
    ] = None,
    upload_max_age_days: Annotated[
        float | None, typer.Option(help="images that were sent are deleted after this time", rich_help_panel=_HTTP)
    ] = None,
    basemap_url: Annotated[
        str | None, typer.Option(help="https://HOST/{z}/{x}/{y}.png of a map under the scene", rich_help_panel=_HTTP)
    ] = None,
    basemap_attribution: Annotated[str | None, typer.Option(help="whose map that is", rich_help_panel=_HTTP)] = None,
    rate_per_minute: Annotated[
        int | None, typer.Option(help="requests a minute of one credential; 0: no limit", rich_help_panel=_HTTP)
    ] = None,
) -> None:
    """Serve the three tools to agents (MCP)."""
    settings = load_settings(
        roots=root or None,
        prompter=prompter,
        segmenter=segmenter,
        device=device,
        store=store,
        dtype=dtype,
        max_size=max_size,
        max_pixels=max_pixels,
        read_seconds=read_seconds,
        store_max_bytes=store_max_bytes,
        store_max_age_days=store_max_age_days,
        preload=preload,
        workers=workers,
        max_waiting=max_waiting,
        answer_within_s=answer_within_s,
        answer_unwatched_within_s=answer_unwatched_within_s,
        previews=previews,
        preview_size=preview_size,
        structured_output=structured_output,
        resource_links=resource_links,
        host=host,
        port=port,
        tokens=tokens,
        allowed_hosts=allowed_host or None,
        allowed_origins=allowed_origin or None,
        max_body_bytes=max_body_bytes,
        rate_per_minute=rate_per_minute,
        upload_bytes=upload_bytes,
        upload_max_age_days=upload_max_age_days,
        basemap_url=basemap_url,
        basemap_attribution=basemap_attribution,
    )
    for folder in settings.roots:
        if not folder.is_dir():
            raise T2SError(
                "argument_invalid", f"the root {folder} is not a folder", "Correct --root, T2S_ROOTS or roots"
            )
    from t2s_agent.server.build import build_server

    server = build_server(settings)
    if http:
        from t2s_agent.server.http import serve_http

        serve_http(server, settings)
    else:
        from t2s_agent.server.stdio import serve_stdio

        serve_stdio(server)
