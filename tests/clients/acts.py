"""What every client is put through, and what has to come of it. Imports nothing but the standard library.

The question of the chain is "which of the tanks are within 100 m of the quay?".
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.clients.stage import SLOW_S

TOOLS = ["describe_region", "reason_segment", "refine_mask"]
WRONG = [
    ("image_not_found", "reason_segment", {"image": "harbor.tiff", "query": "storage tanks"}),
    ("argument_invalid", "reason_segment", {"image": "harbour.tif", "query": "storage tanks", "max_region": 3}),
    ("bbox_outside", "reason_segment", {"image": "harbour.tif", "query": "tanks", "bbox": [51.90, 4.33, 51.92, 4.35]}),
]


@dataclass
class Answer:
    """What a client makes of a call: its text, and whether it says that the call failed."""

    text: str
    failed: bool = False


Call = Callable[[str, dict], Awaitable[Answer]]


async def put_through(name: str, tools: list[str], call: Call, progress: list[str], *, cancels: bool = True) -> None:
    """All acts with one client. `progress` fills up while it calls; `cancels`: it tells the server of a cancelled call."""
    assert sorted(tools) == TOOLS, tools
    _say(name, "listed", ", ".join(sorted(tools)))
    tanks = await _facts(call, "reason_segment", {"image": "harbour.tif", "query": "storage tanks", "preview": False})
    assert tanks["total"] == 7, tanks
    _say(name, "called", f"{tanks['total']} tanks, {tanks['total_area_m2']} +- {tanks['total_pm']} m2")
    assert progress
    _say(name, "progress", "; ".join(progress))
    quay = await _facts(call, "reason_segment", {"image": "harbour.tif", "query": "the quay"})
    near = {"result_id": tanks["result_id"], "combine_with": quay["result_id"], "within_m": 100}
    chosen = await _facts(call, "refine_mask", near)
    told = await _facts(call, "describe_region", {"result_id": chosen["result_id"], "question": "What are these?"})
    _say(name, "chained", f"{chosen['total']} of {tanks['total']} near the quay; claimed: {told['claimed']}")
    assert chosen["total"] == 4, chosen  # by the truth: 66 to 79 m, the other three 108 m and more
    for code, tool, arguments in WRONG:
        answer = await call(tool, arguments)
        assert answer.failed, answer
        assert code in answer.text, answer
        _say(name, "error", answer.text)
    if cancels:
        await _cancelled(name, call)


async def _facts(call: Call, tool: str, arguments: dict) -> dict:
    """The answer of a call that has to work, made again where it was told to be running."""
    while True:
        answer = await call(tool, arguments)
        assert not answer.failed, answer.text
        facts = json.loads(answer.text)
        if facts.get("status") != "running":
            return facts


async def _cancelled(name: str, call: Call) -> None:
    """A call that is cancelled returns at once, and leaves no result behind once the model has answered after all."""
    results = Path(os.environ["T2S_STORE"])
    before = len(list(results.glob("r_*")))
    task = asyncio.create_task(
        call("reason_segment", {"image": "harbour.tif", "query": f"ships, slowly {time.time()}"})
    )
    await asyncio.sleep(2)
    began = time.perf_counter()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    took = time.perf_counter() - began
    await _facts(call, "describe_region", {"image": "harbour.tif", "question": f"What is this? {began}"})
    free = time.perf_counter() - began - took
    await asyncio.sleep(SLOW_S)
    left = len(list(results.glob("r_*"))) - before
    assert left == 0, f"{left} results of a cancelled call"
    _say(name, "cancelled", f"back after {took:.2f} s, the next call took {free:.2f} s, nothing was made of it later")


def _say(name: str, act: str, what: str) -> None:
    print(f"{name:24} {act:10} {what}", flush=True)
