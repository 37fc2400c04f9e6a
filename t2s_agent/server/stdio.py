"""The server over standard input and output: nothing but protocol goes out, everything else to standard error."""

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from t2s_agent.server.build import AgentServer

_WARM_AFTER_S = 3.0  # or right after the client has asked what tools there are
_STOP_S = 0.5


def serve_stdio(server: "AgentServer") -> None:
    """Serves one client until it closes its end."""
    server.service.warm_up(_WARM_AFTER_S)
    anyio.run(server.run_stdio_async)
    server.service.close(_STOP_S)
