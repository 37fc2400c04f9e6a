"""Defines the page's routes. The page's static files are public; all data of an owner goes through `engine_of`."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from t2s_agent.bounds import LONGEST_NAME, LONGEST_QUERY, MOST_IDS, MOST_POINTS
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, Refinement, refine, segment
from t2s_agent.results.catalogue import Summary
from t2s_agent.results.files import MEDIA_TYPES, RECORD, public_json
from t2s_agent.results.record import Record
from t2s_agent.results.title import LONGEST_TITLE
from t2s_agent.server.page.answering import ALWAYS, Answers, body_of
from t2s_agent.server.page.assets import static_text
from t2s_agent.server.page.picture_routes import picture_routes
from t2s_agent.server.page.pictures import Pictures
from t2s_agent.server.page.result_view import picture, result_view, thumbnail, to_refinement_points
from t2s_agent.server.page.uploads import receive, sweep
from t2s_agent.server.page.work import Discreet, Work, WorkResponse, in_thread

UPLOADS = "/api/images"  # where POST sends an image
STATIC = {
    "page.css": "text/css",
    "ol.js": "text/javascript",
    "viewer.js": "text/javascript",
    "result.js": "text/javascript",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
# Nothing from other origins, nothing inline, and no text that can become HTML.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
Pair = tuple[float, float]
_SAME = ("bbox", "bbox_crs", "bands", "merge", "min_area_m2", "mode", "gsd_m")  # of a question that goes on


class Correction(BaseModel):
    """A user's correction of a result. Points are in pixels of the scene."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    positive: list[Pair] = Field([], max_length=MOST_POINTS)
    negative: list[Pair] = Field([], max_length=MOST_POINTS)
    keep: list[int] = Field([], max_length=MOST_IDS)
    drop: list[int] = Field([], max_length=MOST_IDS)
    instruction: str = Field("", max_length=LONGEST_QUERY)
    min_probability: float = Field(0.0, ge=0.0, le=1.0)


class Question(BaseModel):
    """A new question about an image in the allowed folders, or about the image `of` an earlier result; `bbox` in its pixels."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    image: str = Field("", max_length=LONGEST_NAME)
    of: str = Field("", max_length=LONGEST_NAME)
    query: str = Field(max_length=LONGEST_QUERY)
    bbox: tuple[float, float, float, float] | None = None


class Rest(BaseModel):
    """Nothing: the windows of a result that were not looked at are known."""

    model_config = ConfigDict(extra="forbid")


class Name(BaseModel):
    """A name for a result; empty: none."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=LONGEST_TITLE)


def no_images(_: Engine) -> Sequence[str]:
    """Returns no images: the page cannot ask new questions."""
    return ()


def page_routes(engine_of: Callable[[Request], Engine], *, basemap_url: str = "", **how: Any) -> list[BaseRoute]:
    """Returns all routes of the page, `static_routes` and `api_routes`, for an application with nothing else."""
    return [*static_routes(basemap_url), *api_routes(engine_of, **how)]


def static_routes(basemap_url: str = "") -> list[BaseRoute]:
    """Returns the routes of the page's static files, which are the same for all users and need no owner.

    With `basemap_url` (a setting) the page may load pictures from that host, and from no other.
    """
    policy = policy_of(basemap_url)
    return [
        Route("/", _static("index.html", "text/html", policy)),
        *(Route(f"/page/{name}", _static(name, kind, policy)) for name, kind in STATIC.items()),
    ]


def is_upload(route: BaseRoute) -> bool:
    """Whether it is the route to which images are sent, which limits what it reads by itself."""
    return isinstance(route, Route) and route.path == UPLOADS and "POST" in (route.methods or ())


def policy_of(basemap_url: str) -> str:
    """Returns the page's Content-Security-Policy."""
    if not basemap_url:
        return CSP
    where = urlsplit(basemap_url)
    return CSP.replace("img-src 'self' blob:", f"img-src 'self' blob: {where.scheme}://{where.netloc}")


def api_routes(
    engine_of: Callable[[Request], Engine],
    *,
    images_of: Callable[[Engine], Sequence[str]] = no_images,
    work: Work = in_thread,
    redact: Discreet = str,
    pictures: Pictures | None = None,
) -> list[BaseRoute]:
    """Returns the routes of the page's API.

    `engine_of` gives the Engine of whoever asks, or raises HTTPException 401. `images_of` names the images that may be asked
    about, as `Engine.scene` opens them. `work` runs a piece of work in an anyio worker thread; a server with a queue gives
    its own. `redact` takes out of a text what callers need not know of this machine. `pictures` keeps what tiles are read from.
    Host names are the application's to check: what answers to any Host can be read by any site (DNS rebinding).
    """

    answers = Answers(engine_of, redact)
    answered, guarded = answers.json, answers.guarded

    async def results(request: Request, engine: Engine) -> Response:
        most, before = _count(request), request.query_params.get("before", "")
        listed = (await run_sync(engine.store.listed)).results
        start = next((i + 1 for i, s in enumerate(listed) if s.id == before), len(listed)) if before else 0
        part = await run_sync(lambda: [_listed(engine, summary) for summary in listed[start : start + most]])
        return answered({"results": part, "total": len(listed), "more": start + most < len(listed)})

    async def result(request: Request, engine: Engine) -> Response:
        def read() -> dict[str, Any]:
            result = engine.store.load(request.path_params["id"], regions=False)
            return result_view(engine, result, engine.store.listed().results)

        return answered(await run_sync(read))

    async def image(request: Request, engine: Engine) -> Response:
        def read() -> bytes:
            return picture(engine, engine.store.load(request.path_params["id"], regions=False))

        return Response(await run_sync(read), media_type="image/jpeg")

    async def thumb(request: Request, engine: Engine) -> Response:
        def read() -> bytes:
            return thumbnail(engine, engine.store.load(request.path_params["id"], regions=False))

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
        def names() -> list[str]:
            sweep(engine.store.folder, engine.settings.upload_max_age_days)
            return list(images_of(engine)) if engine.settings.roots else []

        return answered({"images": await run_sync(names), "upload_bytes": engine.settings.upload_bytes})

    async def send(request: Request, engine: Engine) -> Response:
        return answered({"image": await receive(engine, request.query_params.get("name", ""), request.stream())})

    async def ask(request: Request, engine: Engine) -> Response:
        asked = await body_of(request, Question)
        if not engine.settings.roots:  # without roots, every file that the server's user can read would be allowed
            raise T2SError("image_not_found", "no folder of images is allowed here", "Start the server with --root")
        if bool(asked.image) == bool(asked.of):
            raise T2SError("argument_invalid", "image or of is missing, or both are given", "Name one of them")

        def task(progress: Callable[[str], None]) -> Any:
            image, bands = asked.image, None
            if asked.of:
                before = engine.store.load(asked.of, regions=False)
                image, bands = before.scene.path, before.parameters.get("bands")
            crs = "pixels" if asked.bbox else None
            return segment(engine, image, asked.query, bbox=asked.bbox, bbox_crs=crs, bands=bands, progress=progress)

        return WorkResponse(engine, task, work, redact)

    async def rest(request: Request, engine: Engine) -> Response:
        id_, _ = request.path_params["id"], await body_of(request, Rest)

        def task(progress: Callable[[str], None]) -> Any:
            return look_at_rest(engine, engine.store.load(id_, regions=False), progress)

        return WorkResponse(engine, task, work, redact)

    async def rename(request: Request, engine: Engine) -> Response:
        id_, asked = request.path_params["id"], await body_of(request, Name)
        return answered({"name": await run_sync(engine.store.rename, id_, asked.name)})

    async def remove(request: Request, engine: Engine) -> Response:
        return answered({"deleted": await run_sync(engine.store.delete, request.path_params["id"])})

    async def correct(request: Request, engine: Engine) -> Response:
        id_, asked = request.path_params["id"], await body_of(request, Correction)

        def task(progress: Callable[[str], None]) -> Any:
            parent = engine.store.load(id_, regions=False)
            how = Refinement(
                instruction=asked.instruction.strip(),
                positive=to_refinement_points(engine, parent, asked.positive),
                negative=to_refinement_points(engine, parent, asked.negative),
                pixels=not parent.units.on_earth,
                keep=tuple(asked.keep),
                drop=tuple(asked.drop),
                min_probability=asked.min_probability,
            )
            return refine(engine, id_, how, progress=progress)

        return WorkResponse(engine, task, work, redact)

    return [
        Route("/api/results", guarded(results), methods=["GET"]),
        Route("/api/results", guarded(ask, changes=True), methods=["POST"]),
        Route("/api/images", guarded(images), methods=["GET"]),
        Route(UPLOADS, guarded(send, changes=True, takes="application/octet-stream"), methods=["POST"]),
        Route("/api/results/{id}", guarded(result), methods=["GET"]),
        Route("/api/results/{id}", guarded(remove, changes=True), methods=["DELETE"]),
        Route("/api/results/{id}/name", guarded(rename, changes=True), methods=["POST"]),
        Route("/api/results/{id}/image", guarded(image)),
        Route("/api/results/{id}/thumbnail", guarded(thumb)),
        Route("/api/results/{id}/files/{name}", guarded(file)),
        Route("/api/results/{id}/rest", guarded(rest, changes=True), methods=["POST"]),
        Route("/api/results/{id}/refine", guarded(correct, changes=True), methods=["POST"]),
        *picture_routes(answers, pictures or Pictures()),
    ]


def look_at_rest(engine: Engine, result: Record, progress: Callable[[str], None]) -> Record:
    """Asks the question of a result of windows again, about all of them: those that were looked at are not asked again.

    Raises `argument_invalid` where no window is left.
    """
    if result.tiling is None or result.operation != "segment" or result.tiling.looked_at == result.tiling.windows:
        raise T2SError("argument_invalid", f"{result.id} has no windows left to look at", "Ask a new question")
    same = {name: value for name, value in result.parameters.items() if name in _SAME and value is not None}
    return segment(
        engine, result.scene.path, result.query, **same, max_windows=result.tiling.windows, progress=progress
    )


def _static(name: str, kind: str, policy: str) -> Callable[[Request], Awaitable[Response]]:
    body = static_text(name)
    headers = {**ALWAYS, "Cache-Control": "no-cache", "Content-Security-Policy": policy}

    async def endpoint(_: Request) -> Response:
        return Response(body, media_type=kind, headers=headers)

    return endpoint


def _listed(engine: Engine, summary: Summary) -> dict[str, Any]:
    return {**summary.model_dump(mode="json"), "name": engine.store.name_of(summary.id)}


def _count(request: Request) -> int:
    given = request.query_params.get("limit", "50")
    if not (re.fullmatch("[0-9]{1,3}", given) and 1 <= int(given) <= 200):
        raise T2SError("argument_invalid", f"limit = {given[:20]!r}", "Give a whole number from 1 to 200")
    return int(given)
