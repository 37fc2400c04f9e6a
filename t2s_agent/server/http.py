"""Serves HTTP: MCP at /mcp, the page at /, and /health, all behind one guard."""

import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route, Router

from t2s_agent.errors import T2SError
from t2s_agent.server.build import AgentServer
from t2s_agent.server.guard import LOOPBACK, Guard, Owned
from t2s_agent.server.refusals import PlainRefusals
from t2s_agent.server.service import OWNER_KEY, Service
from t2s_agent.server.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    import uvicorn
    from mcp.server import MCPServer

    from t2s_agent.pipeline import Engine
    from t2s_agent.results.record import Record
    from t2s_agent.server.page.pictures import Pictures
    from t2s_agent.settings import Settings

STOP_S = 0.5  # time for connections to end, then the same time for work to end
LATEST_S = 2.0  # after this time a stop waits for nothing: results are written completely or not at all
_WARM_AFTER_S = 1.0


def build_app(server: "MCPServer[Any]", settings: "Settings") -> Starlette:
    """Returns the ASGI application of a server made by `build_server`.

    Raises `argument_invalid` if other machines could reach it without a token.
    """
    if not isinstance(server, AgentServer):
        raise TypeError("build_app serves what build_server made")
    service = server.service
    tokens = Tokens(settings.tokens) if settings.tokens else None
    if tokens is None and settings.host not in LOOPBACK:
        raise T2SError(
            "argument_invalid",
            f"{settings.host} can be reached from other machines and there are no tokens",
            "Give a file of tokens (--tokens, T2S_TOKENS) or bind 127.0.0.1",
        )
    mcp = server.streamable_http_app(
        streamable_http_path="/mcp",
        max_request_body_size=settings.max_body_bytes,
        # the guard has already checked host and origin, for pages too
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with mcp.router.lifespan_context(app):
            service.warm_up(_WARM_AFTER_S)
            await anyio.to_thread.run_sync(sweep, settings.store, settings.upload_max_age_days)
            yield
        with anyio.move_on_after(STOP_S):  # a tile that is being read
            await anyio.to_thread.run_sync(pictures.close, abandon_on_cancel=True)
        await anyio.to_thread.run_sync(service.close, STOP_S)

    from t2s_agent.server.page.picture_routes import is_frequent
    from t2s_agent.server.page.pictures import Pictures
    from t2s_agent.server.page.routes import is_upload, static_routes
    from t2s_agent.server.page.uploads import sweep

    pictures = Pictures(service.indexes)
    api = _api(service, pictures)

    health = Route("/health", _health)
    guard = Middleware(
        Guard,
        hosts=settings.allowed_hosts,
        origins=settings.allowed_origins,
        tokens=tokens,
        max_body_bytes=settings.max_body_bytes,
        rate_per_minute=settings.rate_per_minute,
        unguarded=[health],
        frequent=[route for route in api if is_frequent(route)],
        streamed=[route for route in api if is_upload(route)],
    )
    # Every path that is not listed as public needs an owner, unknown paths too. Only the router interprets paths.
    public = [health, *static_routes(settings.basemap_url)]
    private = Router([*mcp.routes, *api])
    app = Starlette(routes=[*public, Mount("/", Owned(PlainRefusals(private)))], middleware=[guard], lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


def serve_http(server: "MCPServer[Any]", settings: "Settings") -> NoReturn:
    """Serves until SIGTERM or SIGINT, then ends the process within three seconds: no new calls, work stops at its next step."""
    app = build_app(server, settings)
    listening = _listen(settings.host, settings.port)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"t2s-agent serves http://{shown}:{port}/mcp", file=sys.stderr, flush=True)
    _server_of(config_of(app)).run(sockets=[listening])
    os._exit(0)  # everything is closed; a normal exit would take seconds to unload torch


def config_of(app: Starlette) -> "uvicorn.Config":
    """How uvicorn serves. Requests are read by h11, also where httptools is installed, which keeps the spaces after a header's value."""
    import uvicorn

    return uvicorn.Config(
        app,
        http="h11",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_S,  # type: ignore[arg-type]  # annotated as int, waited for as a float
    )


def _server_of(config: "uvicorn.Config") -> "uvicorn.Server":
    """Returns a server that ends the process on a stop signal even if a step hangs, for example inside a model."""
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
            if not self.should_exit:
                last = threading.Timer(LATEST_S, os._exit, (0,))
                last.daemon = True
                last.start()
            super().handle_exit(sig, frame)

    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: None)  # uvicorn raises the signal again after its stop; ignore it then
    return Server(config)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with an explicit protocol asyncio turns Nagle's algorithm off; else each answer waits 40 ms for an acknowledgement
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise T2SError(
            "argument_invalid",
            f"{host} port {port} cannot be bound ({error.strerror})",
            "Choose another --port or --host",
        ) from error
    listening.listen(128)
    return listening


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


def _api(service: Service, pictures: "Pictures") -> list[BaseRoute]:
    """Returns the routes of the page's API; its work waits in the same queue as that of agents."""
    from t2s_agent.scene.listing import images_in
    from t2s_agent.server.page.routes import api_routes

    def engine_of(request: Request) -> "Engine":
        """Returns the Engine of the request's owner; 401 if there is none."""
        owner = request.scope.get(OWNER_KEY)
        if not isinstance(owner, str):
            raise HTTPException(401, "Send 'Authorization: Bearer TOKEN'", {"WWW-Authenticate": "Bearer"})
        return service.engine(owner)

    async def work(engine: "Engine", task: "Callable[[], Record]") -> "Record":
        async with service.jobs.turn(engine.store.owner):
            return await anyio.to_thread.run_sync(task, abandon_on_cancel=True)

    return api_routes(
        engine_of,
        images_of=lambda engine: images_in(engine.settings.roots).names,
        work=work,
        redact=service.redact,
        pictures=pictures,
    )
