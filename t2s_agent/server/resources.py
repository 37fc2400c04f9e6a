"""Defines MCP resources: the images in the allowed folders, and the files of a credential's own results."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp_types import (
    INVALID_PARAMS,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from t2s_agent.errors import T2SError
from t2s_agent.results.files import MASK, MEDIA_TYPES, PREVIEW, RECORD, REGIONS, public_json, uri_of
from t2s_agent.server.page.app import VIEW_URI
from t2s_agent.server.service import Service
from t2s_agent.text import plain

T = TypeVar("T")
PAGE = 100  # images in one answer to resources/list
_RESULTS = 20  # newest results listed after the images
_MOST_BYTES = 32 * 2**20  # of a file in an answer, which is in memory several times
_UNKNOWN = {"image_not_found", "result_unknown"}
_CURSOR = re.compile(r"images:([0-9]{1,9})")
_MOST_COMPLETIONS = 100  # the protocol's limit


def add_resources(server: MCPServer[Any], service: Service) -> None:
    """Adds templates for images and results, and the completion of their arguments."""

    @server.resource("t2s://images/{+name}", name="image", title="Image", mime_type="application/json")
    def image(name: str) -> str:
        """Size, CRS, resolution (metres per pixel), bounds and bands of an image that the tools can use."""
        return _read(lambda: _image_words(service, name))

    @server.resource(uri_of("{result_id}", RECORD), name="record", title="Record", mime_type=MEDIA_TYPES[RECORD])
    def record(result_id: str) -> str:
        """The record of a result: question, models, answer, regions, parents."""
        return _read(lambda: _record(service, result_id))

    @server.resource(uri_of("{result_id}", REGIONS), name="polygons", title="Polygons", mime_type=MEDIA_TYPES[REGIONS])
    def polygons(result_id: str) -> str:
        """Outlines and measures of a result's regions (RFC 7946)."""
        return _read(lambda: _file(service, result_id, REGIONS).decode())

    @server.resource(uri_of("{result_id}", MASK), name="mask", title="Mask", mime_type=MEDIA_TYPES[MASK])
    def mask(result_id: str) -> bytes:
        """A result's mask: cloud-optimised GeoTIFF, region ids, 0 = none."""
        return _read(lambda: _file(service, result_id, MASK))

    @server.resource(uri_of("{result_id}", PREVIEW), name="preview", title="Preview", mime_type=MEDIA_TYPES[PREVIEW])
    def preview(result_id: str) -> bytes:
        """The picture with a result's outlines, ids, legend and scale bar."""
        return _read(lambda: _file(service, result_id, PREVIEW))

    @server.resource(VIEW_URI, name="view", title="View", mime_type="application/json")
    def view(result_id: str) -> str:
        """The data of a result's view, for the MCP App."""
        from t2s_agent.server.page.result_view import view_json

        return _read(lambda: service.redact(view_json(service.callers_engine(), result_id, service.indexes)))

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK gives it no types
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        """Names of images, ids of results."""
        del context
        if argument.name not in ("name", "image", "result_id"):
            return None
        if isinstance(ref, ResourceTemplateReference) and not ref.uri.startswith("t2s://"):
            return None
        known = _ids if argument.name == "result_id" else _names
        values = await anyio.to_thread.run_sync(known, service)
        fitting = [value for value in values if argument.value.lower() in value.lower()]
        shown = sorted(fitting, key=lambda v: not v.lower().startswith(argument.value.lower()))[:_MOST_COMPLETIONS]
        return Completion(values=shown, total=len(fitting), has_more=len(fitting) > len(shown))


async def listed(service: Service, params: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to resources/list with a page of images, and on the last page the newest results."""
    first = _first(str(params.get("cursor") or ""))
    ours, more = await anyio.to_thread.run_sync(_page, service, first)
    theirs = result.get("resources", []) if first == 0 else []
    page = {**result, "resources": [*theirs, *ours]}
    return {**page, "nextCursor": f"images:{first + PAGE}"} if more else page


def _first(cursor: str) -> int:
    """Returns the index of a page's first image. Raises the protocol's error for an unknown cursor."""
    if not cursor:
        return 0
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise MCPError(INVALID_PARAMS, "This cursor does not come from an answer of resources/list")
    return int(found[1])


def _page(service: Service, first: int) -> tuple[list[dict[str, Any]], bool]:
    from t2s_agent.tools.images import image_facts

    engine, names = service.callers_engine(), _names(service)
    page = []
    for name in names[first : first + PAGE]:
        facts = image_facts(engine, name)
        page.append(
            {
                "uri": f"t2s://images/{quote(name)}",
                "name": plain(name, 200),
                "description": _describe_image(facts),
                "mimeType": "application/json",
            }
        )
    more = first + PAGE < len(names)
    if not more:
        for result in engine.store.listed().results[:_RESULTS]:
            about = f"{result.count} regions in {plain(result.image, 80)}: {plain(result.query, 80)}"
            page.append(
                {
                    "uri": uri_of(result.id, RECORD),
                    "name": result.id,
                    "description": about,
                    "mimeType": MEDIA_TYPES[RECORD],
                }
            )
    return page, more


def _describe_image(facts: Mapping[str, Any]) -> str:
    if "error" in facts:
        return str(facts["error"])
    parts = [f"{facts['width_px']} x {facts['height_px']} px", f"{facts['bands']} bands"]
    parts.append(str(facts["crs"]) if "crs" in facts else "no CRS")
    if "gsd_m" in facts:
        parts.append(f"{facts['gsd_m']} m a pixel")
    return ", ".join(parts)


def _names(service: Service) -> list[str]:
    from t2s_agent.scene.listing import images_in

    return images_in(service.callers_engine().settings.roots).names


def _ids(service: Service) -> list[str]:
    return [summary.id for summary in service.callers_engine().store.listed().results]


def _image_words(service: Service, name: str) -> str:
    from t2s_agent.tools.images import image_facts

    engine = service.callers_engine()
    with engine.scene(name):  # raises if it may not be opened
        return json.dumps(image_facts(engine, name))


def _record(service: Service, result_id: str) -> str:
    """Returns the record without server-internal fields: paths of files, and owners."""
    return service.redact(public_json(service.callers_engine().store.load(result_id)))


def _file(service: Service, result_id: str, name: str) -> bytes:
    path = service.callers_engine().store.artifact(result_id, name)
    if path.stat().st_size > _MOST_BYTES:
        raise T2SError(
            "limit_exceeded",
            f"{name} of {path.parent.name} has {path.stat().st_size / 1e6:.0f} MB, more than one answer holds",
            'List regions by pages with describe_region(detail="regions"), or download the file from the page',
        )
    return path.read_bytes()


def _read(work: Callable[[], T]) -> T:
    try:
        return work()
    except T2SError as error:
        raise (ResourceNotFoundError if error.code in _UNKNOWN else ResourceError)(str(error)) from error
