"""What the server costs and withstands, measured: `python -m evals.speed.server start|overhead|clients|kill|stop`.

Each prints one line of JSON. Models are scripted answers and filled boxes, so that the server is measured and not a model.
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from t2s_agent.pipeline import Engine, segment
from t2s_agent.pipeline.loading import stored_regions
from t2s_agent.results.store import ResultStore
from t2s_agent.server.build import build_server
from t2s_agent.server.service import demo_folder
from t2s_agent.settings import Settings, load_settings

PROGRAM = [sys.executable, "-c", "from t2s_agent.cli import main; main()", "serve"]
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
IMAGE = "harbour.tif"
CLIENTS = 16


def main() -> None:
    """Runs one measurement and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(_MEASUREMENTS))
    parser.add_argument("--times", type=int, default=0, help="repetitions, or seconds for clients")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = _MEASUREMENTS[given.what](Path(folder), given.times)
    print(json.dumps({"what": given.what, **found}))


def measure_start(folder: Path, times: int) -> dict[str, Any]:
    """Seconds from the start of a process to its answered tools/list, ours and a bare SDK server by turns."""
    bare, ours, torch = [], [], False
    for _ in range(times or 10):
        bare.append(_to_tools([sys.executable, "-c", BARE])[0])
        seconds, mapped = _to_tools([*PROGRAM, "--store", str(folder / "store")])
        ours.append(seconds)
        torch |= mapped
    found = {"bare_s": statistics.median(bare), "ours_s": statistics.median(ours)}
    found["ratio"] = found["ours_s"] / found["bare_s"]
    return {name: round(value, 3) for name, value in found.items()} | {"torch_loaded": torch, "runs": len(ours)}


def _to_tools(command: list[str]) -> tuple[float, bool]:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    messages = (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    )
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    process.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
    process.stdin.flush()
    while json.loads(process.stdout.readline()).get("id") != 2:
        pass
    seconds = time.perf_counter() - began
    mapped = "libtorch" in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    return seconds, mapped


def measure_overhead(folder: Path, times: int) -> dict[str, Any]:
    """Milliseconds of a call over each transport and of the same pipeline called directly, by turns in one run."""
    settings = _settings(folder)
    engine = Engine.open(settings)
    arguments = {"image": IMAGE, "query": "q3"}
    spent: dict[str, list[float]] = {}

    async def by_turns() -> None:
        async with AsyncExitStack() as stack:
            url = stack.enter_context(_http(settings))[0]
            memory = await stack.enter_async_context(Client(build_server(settings)))
            stdio = await stack.enter_async_context(Client(_stdio(settings)))
            http = await stack.enter_async_context(_signed_in(url, 3))
            for n in range((times or 60) + 3):
                began = time.perf_counter()
                await asyncio.to_thread(segment, engine, demo_folder() / IMAGE, "q3")
                took = {"pipeline": time.perf_counter() - began}
                for name, client in (("memory", memory), ("stdio", stdio), ("http", http)):
                    began = time.perf_counter()
                    _facts(await client.call_tool("reason_segment", arguments))
                    took[name] = time.perf_counter() - began
                if n >= 3:  # the first calls open and load
                    for name, seconds in took.items():
                        spent.setdefault(name, []).append(1000 * seconds)

    asyncio.run(by_turns())
    medians = {name: statistics.median(each) for name, each in spent.items()}
    found = {f"{name}_ms": round(value, 1) for name, value in medians.items()}
    for name in ("memory", "stdio", "http"):
        turns = zip(spent[name], spent["pipeline"], strict=True)
        found[f"overhead_{name}_ms"] = round(statistics.median(server - bare for server, bare in turns), 1)
    return found | {"calls": len(spent["pipeline"])}


def measure_clients(folder: Path, times: int) -> dict[str, Any]:
    """Sixteen clients, eight of each era, each with its own credential and question, for a minute."""
    settings, seconds = _settings(folder), times or 60
    took: list[float] = []
    wrong: list[str] = []

    async def one(url: str, n: int, until: float) -> None:
        async with _signed_in(url, n, "auto" if n % 2 else "legacy") as client:
            while time.monotonic() < until:
                began = time.perf_counter()
                made = _facts(await client.call_tool("reason_segment", {"image": IMAGE, "query": f"q{n}"}))
                took.append(time.perf_counter() - began)
                kept = _facts(await client.call_tool("refine_mask", {"result_id": made["result_id"], "keep": [1]}))
                told = _facts(await client.call_tool("describe_region", {"result_id": made["result_id"]}))
                whose = _facts(await client.call_tool("describe_region", {"result_id": kept["result_id"]}))
                got = (told["query"], made["total"], whose["parents"], kept["total"], told["measured"]["count"])
                if got != (f"q{n}", n, [made["result_id"]], 1, n):
                    wrong.append(f"{n}: {got}")

    async def all_of_them() -> None:
        with _http(settings) as (url, _):
            until = time.monotonic() + seconds
            async with asyncio.TaskGroup() as group:
                for n in range(1, CLIENTS + 1):
                    group.create_task(one(url, n, until))

    asyncio.run(all_of_them())
    took.sort()
    return {
        "clients": CLIENTS,
        "seconds": seconds,
        "rounds_of_three_calls": len(took),
        "mixed_up": wrong,
        "errors": 0,  # any would have ended the run with its traceback
        "segment_median_s": round(statistics.median(took), 3),
        "segment_p99_s": round(took[int(0.99 * (len(took) - 1))], 3),
    }


def measure_kill(folder: Path, times: int) -> dict[str, Any]:
    """kill -9 in the middle of a call, at a random moment; then the store, the next start, and the same call again."""
    settings, drawn = _settings(folder), random.Random(7)
    half_written, cut_off, kills = 0, 0, times or 20

    async def killed(url: str, process: subprocess.Popen[str]) -> bool:
        async with _signed_in(url, 3) as client:
            for query in ("q1", "q2"):  # the first one imports the pipeline, the second one tells how long a call takes
                began = time.perf_counter()
                _facts(await client.call_tool("reason_segment", {"image": IMAGE, "query": query}))
            call = asyncio.create_task(client.call_tool("reason_segment", {"image": IMAGE, "query": "q3"}))
            await asyncio.sleep(drawn.uniform(0.0, 1.0) * (time.perf_counter() - began))
            process.kill()
            try:
                await call
            except Exception:  # noqa: BLE001 (its server is gone: whichever way the client says so)
                return True
            return False

    async def repeated(url: str) -> int:
        async with _signed_in(url, 3) as client:
            return int(_facts(await client.call_tool("reason_segment", {"image": IMAGE, "query": "q3"}))["total"])

    for _ in range(kills):
        with _http(settings) as (url, process):
            cut_off += _quietly(killed(url, process))
        half_written += sum(path.is_dir() for path in settings.store.glob(".part-*"))
        with _http(settings) as (url, _process):
            if asyncio.run(repeated(url)) != 3:
                raise RuntimeError("the repeated call answers otherwise")
            if list(settings.store.glob(".part-*")):
                raise RuntimeError("a start left what was half-written")
        _whole(settings)
    results = len(ResultStore(settings.store).listed().results)
    return {
        "kills": kills,
        "calls_cut_off": cut_off,
        "half_written_left_and_swept": half_written,
        "damaged": 0,  # any would have ended the run
        "results_whole": results,
    }


def _quietly(work: Awaitable[bool]) -> bool:
    """A client whose server dies may fail in closing, too."""

    async def run() -> bool:
        return await work

    try:
        return asyncio.run(run())
    except BaseExceptionGroup:
        return True


def _whole(settings: Settings) -> None:
    """Every result can be read with all of its files, or the run ends here."""
    for n in range(1, CLIENTS + 1):
        engine = Engine.open(settings, f"c{n}")
        results, damaged = engine.store.listed()
        if damaged:
            raise RuntimeError(f"damaged: {damaged}")
        for result in results:
            if len(stored_regions(engine, engine.store.load(result.id))) != result.count:
                raise RuntimeError(f"{result.id} is not whole")
            for name in ("mask.tif", "preview.png"):
                engine.store.artifact(result.id, name)


def measure_stop(folder: Path, times: int) -> dict[str, Any]:
    """Seconds from SIGTERM to the end of a server with a client connected, its nano models loaded."""
    settings = _settings(folder).model_copy(update={"prompter": "nano", "segmenter": "nano", "preload": True})
    spent, codes = [], set()

    async def stopped(url: str, process: subprocess.Popen[str]) -> float:
        async with _signed_in(url, 1, "legacy") as client:
            _facts(await client.call_tool("reason_segment", {"image": IMAGE, "query": "ships"}))
            began = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait)
            return time.perf_counter() - began

    for _ in range(times or 5):
        with _http(settings) as (url, process):
            spent.append(asyncio.run(stopped(url, process)))
            codes.add(process.returncode)
    return {"median_s": round(statistics.median(spent), 2), "most_s": round(max(spent), 2), "exit_codes": sorted(codes)}


_MEASUREMENTS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "start": measure_start,
    "overhead": measure_overhead,
    "clients": measure_clients,
    "kill": measure_kill,
    "stop": measure_stop,
}


def _settings(folder: Path) -> Settings:
    """A question qN for each client, answered by N boxes, and a token for each."""
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
    tokens = "".join(f"c{n} {_token(n)}\n" for n in range(1, CLIENTS + 1))
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


def _token(n: int) -> str:
    return f"the-token-of-client-{n}"


def _flags(settings: Settings) -> list[str]:
    given = ["--store", str(settings.store), "--prompter", settings.prompter, "--segmenter", settings.segmenter]
    given += [flag for root in settings.roots for flag in ("--root", str(root))]
    return given + ["--preload" if settings.preload else "--no-preload", "--rate-per-minute", "0"]


def _stdio(settings: Settings) -> StdioServerParameters:
    return StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], *_flags(settings)])


@contextmanager
def _http(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server process on a free port of loopback."""
    process = subprocess.Popen(
        [*PROGRAM, "--http", "--port", "0", "--tokens", str(settings.tokens), *_flags(settings)],
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


def _signed_in(url: str, n: int, mode: Any = "auto") -> Any:
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {_token(n)}"}, timeout=120)
    return Client(streamable_http_client(url, http_client=http), mode=mode)


def _facts(result: Any) -> dict[str, Any]:
    if result.is_error:
        raise RuntimeError(result.content[0].text)
    facts: dict[str, Any] = json.loads(result.content[0].text)
    return facts


if __name__ == "__main__":
    main()
