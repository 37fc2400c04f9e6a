"""The server over standard input and output: nothing but protocol goes out, everything else to standard error."""

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import anyio

if TYPE_CHECKING:
    from t2s_agent.server.build import AgentServer

_WARM_AFTER_S = 3.0  # or right after the client has asked what tools there are
_STOP_S = 0.5
_INTERRUPTED = 130


def serve_stdio(server: "AgentServer") -> NoReturn:
    """Serves one client until it closes its end, then ends the process."""
    if sys.stdin.isatty():
        print(
            "An agent is meant to start this and speaks MCP to it here; for a browser, and several agents: --http",
            file=sys.stderr,
        )
    # A thread that waits for input cannot be interrupted, so Ctrl-C ends the process; results are whole or not there at all.
    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    server.service.warm_up(_WARM_AFTER_S)
    anyio.run(server.run_stdio_async)
    server.service.close(_STOP_S)
    os._exit(0)  # everything is closed and written; Python would take seconds more to unload torch
