"""Tests the server under load and interruption: `python -m evals.speed.stress clients|kill|stop`. Each prints one line of JSON."""

import argparse
import asyncio
import json
import random
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from evals.speed.serving import CLIENTS, IMAGE, connect_client, http_server, result_json, scripted_settings
from t2s_agent.pipeline import Engine
from t2s_agent.pipeline.loading import stored_regions
from t2s_agent.results.store import ResultStore
from t2s_agent.settings import Settings


def main() -> None:
    """Runs one test and prints its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(_TESTS))
    parser.add_argument("--times", type=int, default=0, help="repetitions, or seconds for clients")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = _TESTS[given.what](Path(folder), given.times)
    print(json.dumps({"what": given.what, **found}))


def clients(folder: Path, times: int) -> dict[str, Any]:
    """Runs sixteen clients for a minute, eight for each protocol era, each with its own token and question."""
    settings, seconds = scripted_settings(folder), times or 60
    took: list[float] = []
    wrong: list[str] = []

    async def one(url: str, n: int, until: float) -> None:
        async with connect_client(url, n, "auto" if n % 2 else "legacy") as client:
            while time.monotonic() < until:
                began = time.perf_counter()
                made = result_json(await client.call_tool("reason_segment", {"image": IMAGE, "query": f"q{n}"}))
                took.append(time.perf_counter() - began)
                kept = result_json(await client.call_tool("refine_mask", {"result_id": made["result_id"], "keep": [1]}))
                described = result_json(await client.call_tool("describe_region", {"result_id": made["result_id"]}))
                described_kept = result_json(
                    await client.call_tool("describe_region", {"result_id": kept["result_id"]})
                )
                got = (
                    described["query"],
                    made["total"],
                    described_kept["parents"],
                    kept["total"],
                    described["measured"]["count"],
                )
                if got != (f"q{n}", n, [made["result_id"]], 1, n):
                    wrong.append(f"{n}: {got}")

    async def all_of_them() -> None:
        with http_server(settings) as (url, _):
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
        "errors": 0,  # an error ends the run with its traceback
        "segment_median_s": round(statistics.median(took), 3),
        "segment_p99_s": round(took[int(0.99 * (len(took) - 1))], 3),
    }


def kill(folder: Path, times: int) -> dict[str, Any]:
    """Kills the server (kill -9) at a random moment of a call; then checks the store, a new start, and the same call again."""
    settings, drawn = scripted_settings(folder), random.Random(7)
    half_written, cut_off, kills = 0, 0, times or 20

    async def killed(url: str, process: subprocess.Popen[str]) -> bool:
        async with connect_client(url, 3) as client:
            for query in (
                "q1",
                "q2",
            ):  # the first one imports the pipeline, the second one gives the duration of a call
                began = time.perf_counter()
                result_json(await client.call_tool("reason_segment", {"image": IMAGE, "query": query}))
            call = asyncio.create_task(client.call_tool("reason_segment", {"image": IMAGE, "query": "q3"}))
            await asyncio.sleep(drawn.uniform(0.0, 1.0) * (time.perf_counter() - began))
            process.kill()
            try:
                await call
            except Exception:  # noqa: BLE001 (the server is gone; clients report this in different ways)
                return True
            return False

    async def repeated(url: str) -> int:
        async with connect_client(url, 3) as client:
            return int(result_json(await client.call_tool("reason_segment", {"image": IMAGE, "query": "q3"}))["total"])

    for _ in range(kills):
        with http_server(settings) as (url, process):
            cut_off += _ended_by_kill(killed(url, process))
        half_written += sum(path.is_dir() for path in settings.store.glob(".part-*"))
        with http_server(settings) as (url, _process):
            if asyncio.run(repeated(url)) != 3:
                raise RuntimeError("the repeated call has another answer")
            if list(settings.store.glob(".part-*")):
                raise RuntimeError("a start did not remove a half-written result")
        _check_results(settings)
    results = len(ResultStore(settings.store).listed().results)
    return {
        "kills": kills,
        "calls_cut_off": cut_off,
        "half_written_left_and_swept": half_written,
        "damaged": 0,  # a damaged result ends the run
        "results_whole": results,
    }


def _ended_by_kill(work: Awaitable[bool]) -> bool:
    """Returns whether the call was cut off. The client of a killed server may also fail on closing."""

    async def run() -> bool:
        return await work

    try:
        return asyncio.run(run())
    except BaseExceptionGroup:
        return True


def _check_results(settings: Settings) -> None:
    """Reads each result with all of its files; raises RuntimeError if one is damaged."""
    for n in range(1, CLIENTS + 1):
        engine = Engine.open(settings, f"c{n}")
        results, damaged = engine.store.listed()
        if damaged:
            raise RuntimeError(f"damaged: {damaged}")
        for result in results:
            if len(stored_regions(engine, engine.store.load(result.id))) != result.count:
                raise RuntimeError(f"{result.id} is incomplete")
            for name in ("mask.tif", "preview.png"):
                engine.store.artifact(result.id, name)


def stop(folder: Path, times: int) -> dict[str, Any]:
    """Measures the seconds from SIGTERM to the end of a server with a connected client and nano loaded."""
    settings = scripted_settings(folder).model_copy(update={"prompter": "nano", "segmenter": "nano", "preload": True})
    spent, codes = [], set()

    async def stopped(url: str, process: subprocess.Popen[str]) -> float:
        async with connect_client(url, 1, "legacy") as client:
            result_json(await client.call_tool("reason_segment", {"image": IMAGE, "query": "ships"}))
            began = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait)
            return time.perf_counter() - began

    for _ in range(times or 5):
        with http_server(settings) as (url, process):
            spent.append(asyncio.run(stopped(url, process)))
            codes.add(process.returncode)
    return {"median_s": round(statistics.median(spent), 2), "most_s": round(max(spent), 2), "exit_codes": sorted(codes)}


_TESTS: dict[str, Callable[[Path, int], dict[str, Any]]] = {"clients": clients, "kill": kill, "stop": stop}

if __name__ == "__main__":
    main()
