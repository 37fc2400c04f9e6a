"""Defines the page's routes. The page's static files are public; all data of an owner goes through `engine_of`."""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from t2s_agent.bounds import LONGEST_NAME, LONGEST_QUERY, MOST_IDS, MOST_POINTS
from t2s_agent.errors import Code, T2SError
from t2s_agent.pipeline import Engine, Refinement, refine, segment
from t2s_agent.results.files import MEDIA_TYPES, RECORD, public_json
from t2s_agent.server.page.assets import static_text
from t2s_agent.server.page.result_view import picture, result_view, thumbnail, to_refinement_points
from t2s_agent.server.page.work import Discreet, Work, WorkResponse, error_of, in_thread

STATIC = {
    "page.css": "text/css",
    "result.js": "text/javascript",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
# Nothing from other origins, nothing inline, and no text that can become HTML.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PUBLIC = {**_ALWAYS, "Cache-Control": "no-cache", "Content-Security-Policy": CSP}
_PRIVATE = {
    **_ALWAYS,
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
_LARGEST_BODY = 64 * 2**10  # bytes; 200 points and a question need a fifth of it
_STATUS: dict[Code, int] = {
    "result_unknown": 404,
    "image_not_found": 404,
    "image_unreadable": 409,
    "limit_exceeded": 413,
    "result_damaged": 500,
    "output_unwritable": 500,
    "model_unavailable": 503,
    "model_failed": 502,
    "endpoint_failed": 502,
    "answer_unparsable": 502,
}
Pair = tuple[float, float]
Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[Request, Engine], Awaitable[Response]]


# pydantic's types of errors -> messages for users; braces are filled from the error's context
_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not JSON",
    "model_type": "is not an object",
    "string_type": "is not text",
    "string_unicode": "is not text",
    "string_too_short": "is empty",
    "string_too_long": "has more than {max_length} characters",
    "list_type": "is not a list",
    "tuple_type": "is not a pair of numbers",
    "too_long": "has more than {max_length} entries",
    "too_short": "has less than {min_length} entries",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "int_parsing_size": "is too large",
}


class Correction(BaseModel):
    """A user's correction of a result. Points are in View pixels."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    positive: list[Pair] = Field([], max_length=MOST_POINTS)
    negative: list[Pair] = Field([], max_length=MOST_POINTS)
    keep: list[int] = Field([], max_length=MOST_IDS)
    drop: list[int] = Field([], max_length=MOST_IDS)
    instruction: str = Field("", max_length=LONGEST_QUERY)


class Question(BaseModel):
    """A new question about an image in the allowed folders."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(min_length=1, max_length=LONGEST_NAME)
    query: str = Field(max_length=LONGEST_QUERY)


def no_images(_: Engine) -> Sequence[str]:
    """Returns no images: the page cannot ask new questions."""
    return ()


def page_routes(engine_of: Callable[[Request], Engine], **how: Any) -> list[BaseRoute]:
    """Returns all routes of the page, `static_routes` and `api_routes`, for an application with nothing else."""
    return [*static_routes(), *api_routes(engine_of, **how)]


def static_routes() -> list[BaseRoute]:
    """Returns the routes of the page's static files, which are the same for all users and need no owner."""
    return [
        Route("/", _static("index.html", "text/html")),
        *(Route(f"/page/{name}", _static(name, kind)) for name, kind in STATIC.items()),
    ]


def api_routes(
    engine_of: Callable[[Request], Engine],
    *,
    images_of: Callable[[Engine], Sequence[str]] = no_images,
    work: Work = in_thread,
    redact: Discreet = str,
) -> list[BaseRoute]:
    """Returns the routes of the page's API.

    `engine_of` gives the Engine of whoever asks, or raises HTTPException 401. `images_of` names the images that may be asked
    about, as `Engine.scene` opens them. `work` runs a piece of work in an anyio worker thread; a server with a queue gives
    its own. `redact` takes out of a text what callers need not know of this machine. Host names are the application's to check: what answers to any Host can be read by any site (DNS rebinding).
    """

    def answered(body: dict[str, Any], status: int = 200) -> Response:
        return Response(
            redact(json.dumps(body, ensure_ascii=False, allow_nan=False)), status, media_type="application/json"
        )

    async def results(request: Request, engine: Engine) -> Response:
        most, before = _count(request), request.query_params.get("before", "")
        listed = (await run_sync(engine.store.listed)).results
        start = next((i + 1 for i, s in enumerate(listed) if s.id == before), len(listed)) if before else 0
        part = [summary.model_dump(mode="json") for summary in listed[start : start + most]]
        return answered({"results": part, "total": len(listed), "more": start + most < len(listed)})

    async def result(request: Request, engine: Engine) -> Response:
        def read() -> dict[str, Any]:
            result = engine.store.load(request.path_params["id"])
            return result_view(engine, result, engine.store.listed().results)

        return answered(await run_sync(read))

    async def image(request: Request, engine: Engine) -> Response:
        def read() -> bytes:
            return picture(engine, engine.store.load(request.path_params["id"]))

        return Response(await run_sync(read), media_type="image/jpeg")

    async def thumb(request: Request, engine: Engine) -> Response:
        def read() -> bytes:
            return thumbnail(engine, engine.store.load(request.path_params["id"]))

        return Response(await run_sync(read), media_type="image/jpeg")

    async def file(request: Request, engine: Engine) -> Response:
        id_, name = request.path_params["id"], request.path_params["name"]
        if name not in MEDIA_TYPES:
            raise T2SError("result_unknown", f"a result has no file {name[:60]!r}", f"It has {', '.join(MEDIA_TYPES)}")
        if name == RECORD:  # without server-internal fields
            record = await run_sync(engine.store.load, id_)
            text = public_json(record, indent=1)
            attached = {"Content-Disposition": f'attachment; filename="{record.id}-{name}"'}
            return Response(redact(text), media_type=MEDIA_TYPES[RECORD], headers=attached)
        path = await run_sync(engine.store.artifact, id_, name)
        return FileResponse(path, filename=f"{path.parent.name}-{name}", media_type="application/octet-stream")

    async def images(_: Request, engine: Engine) -> Response:
        return answered({"images": list(await run_sync(images_of, engine)) if engine.settings.roots else []})

    async def ask(request: Request, engine: Engine) -> Response:
        asked = await _body(request, Question)
        if not engine.settings.roots:  # without roots, every file that the server's user can read would be allowed
            raise T2SError("image_not_found", "no folder of images is allowed here", "Start the server with --root")
        return WorkResponse(
            engine, lambda progress: segment(engine, asked.image, asked.query, progress=progress), work, redact
        )

    async def correct(request: Request, engine: Engine) -> Response:
        id_, asked = request.path_params["id"], await _body(request, Correction)

        def task(progress: Callable[[str], None]) -> Any:
            parent = engine.store.load(id_)
            how = Refinement(
                instruction=asked.instruction.strip(),
                positive=to_refinement_points(engine, parent, asked.positive),
                negative=to_refinement_points(engine, parent, asked.negative),
                pixels=not parent.units.on_earth,
                keep=tuple(asked.keep),
                drop=tuple(asked.drop),
            )
            return refine(engine, id_, how, progress=progress)

        return WorkResponse(engine, task, work, redact)

    def guarded(handler: Handler, *, changes: bool = False) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if changes:
                _same_site(request)
            try:
                response = await handler(request, engine_of(request))
            except T2SError as error:
                response = answered({"error": error_of(error)}, _STATUS.get(error.code, 400))
            response.headers.update(_PRIVATE)
            return response

        return endpoint

    return [
        Route("/api/results", guarded(results), methods=["GET"]),
        Route("/api/results", guarded(ask, changes=True), methods=["POST"]),
        Route("/api/images", guarded(images)),
        Route("/api/results/{id}", guarded(result)),
        Route("/api/results/{id}/image", guarded(image)),
        Route("/api/results/{id}/thumbnail", guarded(thumb)),
        Route("/api/results/{id}/files/{name}", guarded(file)),
        Route("/api/results/{id}/refine", guarded(correct, changes=True), methods=["POST"]),
    ]


def _static(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    body = static_text(name)

    async def endpoint(_: Request) -> Response:
        return Response(body, media_type=kind, headers=_PUBLIC)

    return endpoint


def _count(request: Request) -> int:
    given = request.query_params.get("limit", "50")
    if not (re.fullmatch("[0-9]{1,3}", given) and 1 <= int(given) <= 200):
        raise T2SError("argument_invalid", f"limit = {given[:20]!r}", "Give a whole number from 1 to 200")
    return int(given)


def _same_site(request: Request) -> None:
    """Refuses requests from pages of other sites in a user's browser. Programs send neither header and pass."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in ("same-origin", "none") if site else False
    if not site and origin:
        foreign = urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise HTTPException(403, "This request comes from another site")
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise HTTPException(415, "Send application/json")


async def _body(request: Request, kind: type[Body]) -> Body:
    """Returns the request's JSON as a model. Raises `argument_invalid` with the first invalid field."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _LARGEST_BODY:
            raise T2SError("limit_exceeded", f"the request has more than {_LARGEST_BODY} bytes", "Send fewer points")
    try:
        return kind.model_validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the request"
        why = _WRONG.get(first["type"], "is not what is needed").format(**first.get("ctx", {}))
        raise T2SError("argument_invalid", f"{where} {why}", f"Send {', '.join(kind.model_fields)}") from error
