"""Measures the time the server adds: to its first answer, and to a call over each transport.

Models are scripted answers and filled boxes, so that the server is measured and not a model.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from mcp import Client

from evals.speed.rows import Row, time_alternately
from evals.speed.serving import (
    IMAGE,
    PROGRAM,
    connect_client,
    http_server,
    result_json,
    scripted_settings,
    stdio_server,
)
from t2s_agent.pipeline import Engine, segment
from t2s_agent.server.build import build_server
from t2s_agent.server.service import demo_folder

BARE = """\
from mcp.server import MCPServer
server = MCPServer("bare", log_level="WARNING")
@server.tool()
def first(text: str) -> str: return text
@server.tool()
def second(text: str) -> str: return text
@server.tool()
def third(text: str) -> str: return text
server.run()
"""
WARM_UP = 3  # calls before the measurement; the first ones open files and load modules


def start(folder: Path, times: int) -> list[Row]:
    """Measures the time from process start to an answered tools/list, and an import. Raises RuntimeError if the server loads torch."""
    ours, bare = time_alternately(
        lambda: start_and_list_tools([*PROGRAM, "--store", str(folder / "store")]),
        lambda: start_and_list_tools([sys.executable, "-c", BARE]),
        times,
    )
    imports = time_alternately(lambda: _python("import t2s_agent"), lambda: _python("pass"), times)
    return [
        Row.of(
            "start", "t2s-agent serve to an answered tools/list", ours, "bare SDK server with three empty tools", bare
        ),
        Row.of("start", "python -c 'import t2s_agent'", imports[0], "python -c 'pass'", imports[1]),
    ]


def _python(script: str) -> None:
    subprocess.run([sys.executable, "-c", script], check=True)


def start_and_list_tools(command: list[str]) -> None:
    """Starts a server over stdio, waits for its list of tools, and ends it."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "speed", "version": "1"}}
    messages = (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]  # pipes are no literal
        process.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        process.stdin.flush()
        while json.loads(process.stdout.readline()).get("id") != 2:
            pass
        mapped = "libtorch" in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        process.kill()
    if mapped:
        raise RuntimeError("a server loaded torch to list its tools")


def overhead(folder: Path, times: int) -> list[Row]:
    """Measures a call over each transport and the same pipeline called directly, alternately."""
    settings = scripted_settings(folder)
    engine = Engine.open(settings)
    spent: dict[str, list[float]] = {}

    async def measure() -> None:
        async with AsyncExitStack() as stack:
            url = stack.enter_context(http_server(settings))[0]
            clients = {
                "memory": await stack.enter_async_context(Client(build_server(settings))),
                "stdio": await stack.enter_async_context(Client(stdio_server(settings))),
                "http": await stack.enter_async_context(connect_client(url, 3)),
            }
            for n in range(times + WARM_UP):
                began = time.perf_counter()
                await asyncio.to_thread(segment, engine, demo_folder() / IMAGE, "q3")
                took = {"pipeline": time.perf_counter() - began}
                for name, client in clients.items():
                    began = time.perf_counter()
                    result_json(await client.call_tool("reason_segment", {"image": IMAGE, "query": "q3"}))
                    took[name] = time.perf_counter() - began
                if n >= WARM_UP:
                    for name, seconds in took.items():
                        spent.setdefault(name, []).append(1000 * seconds)

    asyncio.run(measure())
    alternative = "the same pipeline called directly"
    return [
        Row.of("server", f"reason_segment over {name}", spent[name], alternative, spent["pipeline"], "ms")
        for name in ("memory", "stdio", "http")
    ]
