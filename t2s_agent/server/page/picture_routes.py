"""Defines the routes of tiles, outlines and tables: what the page shows of a scene of any size, a part at a time."""

import math
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.server.page.answering import KEPT, Answers, kept
from t2s_agent.server.page.open_scenes import Picture
from t2s_agent.server.page.pictures import Pictures
from t2s_agent.server.page.pyramid import TILE, Pyramid
from t2s_agent.server.page.region_features import features_in

_MOST_ROWS = 500
_TILE = "{z:int}/{x:int}/{y:int}"


def picture_routes(answers: Answers, pictures: Pictures) -> list[BaseRoute]:
    """Returns the routes below /api/results/ID: `scene` and `mask` (tiles), `regions`, `rows`, `at`, `windows`; and images' tiles.

    Tiles are those of `Pyramid`; all positions are pixels of the scene, x right, y down.
    """

    def tiles(
        tag_of: Callable[[Engine, Request], str], make: Callable[[Engine, Request, int, int, int], Picture]
    ) -> Callable[[Request, Engine], Awaitable[Response]]:
        async def handler(request: Request, engine: Engine) -> Response:
            z, x, y = (request.path_params[name] for name in "zxy")

            def work() -> Response:
                tag = tag_of(engine, request)
                if unchanged := kept(request, tag):
                    return unchanged
                tile = make(engine, request, z, x, y)
                return Response(tile.data, media_type=tile.media_type, headers={**KEPT, "ETag": f'"{tag}"'})

            return await pictures.run(work)

        return handler

    scene_tiles = tiles(
        lambda engine, request: pictures.scene_tag(engine, _id(request)),
        lambda engine, request, z, x, y: pictures.scene_tile(engine, _id(request), z, x, y),
    )
    mask_tiles = tiles(
        lambda engine, request: pictures.record(engine, _id(request)).id,
        lambda engine, request, z, x, y: pictures.mask_tile(engine, _id(request), z, x, y),
    )
    image_tiles = tiles(
        lambda engine, request: pictures.image_tag(engine, _name(request)),
        lambda engine, request, z, x, y: pictures.image_tile(engine, _name(request), z, x, y),
    )

    async def regions(request: Request, engine: Engine) -> Response:
        box, resolution = _box(request), _numbers(request, "resolution", 1)[0]
        if not 1e-6 <= resolution <= 1e6:
            raise T2SError("argument_invalid", f"resolution = {resolution:g}", "Give scene pixels a screen pixel")
        return answers.json(
            await pictures.run(
                lambda: features_in(pictures.index(engine, _id(request)), box, resolution), of_index=True
            )
        )

    async def rows(request: Request, engine: Engine) -> Response:
        sort, down = request.query_params.get("sort", "id"), request.query_params.get("down") == "1"
        first, most = _whole(request, "from", 0, 2**31), _whole(request, "limit", 100, _MOST_ROWS)

        def work() -> dict[str, Any]:
            index = pictures.index(engine, _id(request))
            order = index.ordered(sort, down=down)
            found = [index.row(int(each)) for each in order[first : first + most]]
            return {"total": len(index), "known": index.known, "unsure": index.unsure_count, "rows": found}

        return answers.json(await pictures.run(work, of_index=True))

    async def at(request: Request, engine: Engine) -> Response:
        x, y = (_numbers(request, name, 1)[0] for name in "xy")

        def work() -> dict[str, Any]:
            found = pictures.region_at(engine, _id(request), x, y)
            index = pictures.index(engine, _id(request))
            position = index.position(found) if found else None
            return {"row": None if position is None else index.row(position)}

        return answers.json(await pictures.run(work, of_index=True))

    async def windows(request: Request, engine: Engine) -> Response:
        return answers.json(await pictures.run(lambda: pictures.windows(engine, _id(request))))

    async def image(request: Request, engine: Engine) -> Response:
        width, height = await pictures.run(lambda: pictures.image_size(engine, _name(request)))
        return answers.json({"width": width, "height": height, "levels": Pyramid(width, height).levels, "tile": TILE})

    guarded = answers.guarded
    return [
        Route(f"/api/results/{{id}}/scene/{_TILE}", guarded(scene_tiles)),
        Route(f"/api/results/{{id}}/mask/{_TILE}", guarded(mask_tiles)),
        Route("/api/results/{id}/regions", guarded(regions)),
        Route("/api/results/{id}/rows", guarded(rows)),
        Route("/api/results/{id}/at", guarded(at)),
        Route("/api/results/{id}/windows", guarded(windows)),
        Route("/api/image", guarded(image)),
        Route(f"/api/image/{_TILE}", guarded(image_tiles)),
    ]


def is_frequent(route: BaseRoute) -> bool:
    """Whether it is a route of tiles or outlines, of which a picture needs many."""
    return isinstance(route, Route) and (route.path.endswith((_TILE, "/regions", "/at")))


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _name(request: Request) -> str:
    return request.query_params.get("name", "")


def _box(request: Request) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = _numbers(request, "bbox", 4)
    return x1, y1, x2, y2


def _numbers(request: Request, name: str, count: int) -> list[float]:
    given = request.query_params.get(name, "")
    try:
        values = [float(part) for part in given.split(",")] if len(given) < 200 else []
    except ValueError:
        values = []
    if len(values) != count or not all(map(math.isfinite, values)):
        wanted = "a number" if count == 1 else f"{count} numbers with commas between them"
        raise T2SError("argument_invalid", f"{name} = {given[:60]!r}", f"Give {wanted}")
    return values


def _whole(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.get(name, str(default))
    if not re.fullmatch("[0-9]{1,10}", given) or int(given) > most:
        raise T2SError("argument_invalid", f"{name} = {given[:20]!r}", f"Give a whole number from 0 to {most}")
    return int(given)
