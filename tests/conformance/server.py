"""Our server, as `t2s-agent serve --http` builds it, with the fixtures of the conformance suite added. For tests only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore

from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app
from t2s_agent.settings import load_settings
from tests.conformance import fixtures, questions

if TYPE_CHECKING:
    from pathlib import Path

    from mcp.server import MCPServer, ServerRequestContext
    from mcp.server.context import CallNext, HandlerResult
    from mcp_types import JSONRPCMessage
    from starlette.applications import Starlette


def conformance_app(folder: Path, with_fixtures: bool, unknown: set[str]) -> Starlette:
    """`unknown` fills with the tools that were called and that the server does not have."""
    settings = load_settings(store=folder / "store", preload=False, rate_per_minute=0)
    server = build_server(settings)
    if with_fixtures:
        fixtures.add_content(server)
        fixtures.add_notifications(server)
        fixtures.add_resources(server)
        fixtures.add_prompts(server)
        questions.add_callbacks(server)
        questions.add_rounds(server)
    server.middleware.insert(0, _noting_unknown_tools(server, unknown))  # before our own refuses them
    app = build_app(server, settings)
    server.session_manager.event_store = Memory()  # one scenario closes a stream and asks for the rest
    server.session_manager.retry_interval = 100
    return app


def _noting_unknown_tools(server: MCPServer[Any], unknown: set[str]) -> Any:
    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call" and ctx.params:
            unknown.update({str(ctx.params["name"])} - {tool.name for tool in await server.list_tools()})
        return await call_next(ctx)

    return middleware


class Memory(EventStore):
    """What was sent, so that a client whose stream broke can ask for the rest."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, JSONRPCMessage | None]] = []  # an event's id is its place here

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self.sent.append((stream_id, message))
        return str(len(self.sent) - 1)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        last = int(last_event_id)
        if not 0 <= last < len(self.sent):
            return None
        stream, _ = self.sent[last]
        for number, (its_stream, message) in enumerate(list(self.sent)):
            if number > last and its_stream == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
