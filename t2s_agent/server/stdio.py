"""Serves over standard input and output: standard output has only protocol messages, everything else goes to standard error."""

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
    """Serves one client until it closes the connection, then ends the process."""
    if sys.stdin.isatty():
        print(
            "An agent is meant to start this and speaks MCP to it here; for a browser, and several agents: --http",
            file=sys.stderr,
        )
    # A thread that waits for input cannot be interrupted, so Ctrl-C ends the process; results are complete or not written.
    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    server.service.warm_up(_WARM_AFTER_S)
    anyio.run(server.run_stdio_async)
    server.service.close(_STOP_S)
    os._exit(0)  # everything is closed and written; a normal exit would take seconds to unload torch
