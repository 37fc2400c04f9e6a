"""Starts servers for measurements, with scripted answers, filled boxes and a token for each client."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from t2s_agent.server.service import demo_folder
from t2s_agent.settings import Settings, load_settings

PROGRAM = [sys.executable, "-c", "from t2s_agent.cli import main; main()", "serve"]
IMAGE = "harbour.tif"
CLIENTS = 16


def scripted_settings(folder: Path) -> Settings:
    """Returns settings with a question qN for each client, answered by N boxes, and a token for each client."""
    script = [
        {
            "question": f"q{n}",
            "raw": "<think>As asked.</think><answer>```json"
            + json.dumps([{"bbox_2d": [20 * i + 5, 20 * n, 20 * i + 20, 20 * n + 15]} for i in range(n)])
            + "```</answer>",
        }
        for n in range(1, CLIENTS + 1)
    ]
    (folder / "script.json").write_text(json.dumps(script), encoding="utf-8")
    tokens = "".join(f"c{n} {token(n)}\n" for n in range(1, CLIENTS + 1))
    (folder / "tokens").write_text(tokens, encoding="utf-8")
    (folder / "images").mkdir(exist_ok=True)
    shutil.copyfile(demo_folder() / IMAGE, folder / "images" / IMAGE)
    return load_settings(
        roots=(folder / "images", demo_folder()),
        store=folder / "store",
        tokens=folder / "tokens",
        prompter=f"scripted:{folder / 'script.json'}",
        segmenter="box",
        preload=False,
        rate_per_minute=0,
    )


def token(n: int) -> str:
    return f"the-token-of-client-{n}"


def flags(settings: Settings) -> list[str]:
    given = ["--store", str(settings.store), "--prompter", settings.prompter, "--segmenter", settings.segmenter]
    given += [flag for root in settings.roots for flag in ("--root", str(root))]
    return given + ["--preload" if settings.preload else "--no-preload", "--rate-per-minute", "0"]


def stdio_server(settings: Settings) -> StdioServerParameters:
    return StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], *flags(settings)])


@contextmanager
def http_server(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Starts a server process on a free port of loopback; yields its address and the process."""
    process = subprocess.Popen(
        [*PROGRAM, "--http", "--port", "0", "--tokens", str(settings.tokens), *flags(settings)],
        stderr=subprocess.PIPE,
        text=True,
    )
    if process.stderr is None:
        raise RuntimeError("no pipe")
    line = process.stderr.readline()
    try:
        yield line.split()[-1], process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def connect_client(url: str, n: int, mode: Any = "auto") -> Any:
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token(n)}"}, timeout=120)
    return Client(streamable_http_client(url, http_client=http), mode=mode)


def result_json(result: Any) -> dict[str, Any]:
    if result.is_error:
        raise RuntimeError(result.content[0].text)
    facts: dict[str, Any] = json.loads(result.content[0].text)
    return facts
