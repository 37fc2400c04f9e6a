"""Calls of the three tools, each of them written to a log: tool, arguments, bytes, seconds."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from mcp import Client

MOST_WAITS = 40  # calls of one question that is answered "running"
KEPT_TEXT = 300  # characters of an error


class Refused(Exception):
    """A tool answered with an error; the text is the tool's."""


class Log:
    """Calls of the tools as JSON Lines, in memory and in a file where one is named; tokens of the question that is answered now."""

    def __init__(self, path: Path | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.question = ""
        self.input_tokens = self.output_tokens = 0
        self._path = path

    @classmethod
    def read(cls, path: Path) -> "Log":
        """The log that a file holds; what is added is not written to it."""
        log = cls()
        log.rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return log

    def start(self, question: str) -> None:
        """Calls and tokens are those of this question from now on; earlier ones of it are forgotten."""
        self.question = question
        self.input_tokens = self.output_tokens = 0
        self.rows = [row for row in self.rows if row["question"] != question]

    def add(self, row: dict[str, Any]) -> None:
        row = {"question": self.question, **row}
        self.rows.append(row)
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def of(self, question: str) -> list[dict[str, Any]]:
        """The calls that were made for a question."""
        return [row for row in self.rows if row.get("question") == question]


Content = tuple[str, list[str], bool]  # text, pictures as base64 JPEG, whether it is an error


async def ask(client: Client, tool: str, arguments: dict[str, Any], log: Log) -> Content:
    """One call, again where it is answered "running". Everything that a model would read is counted."""
    for _ in range(MOST_WAITS):
        began = time.perf_counter()
        # a client that asks for progress is not answered early
        answer = await client.call_tool(tool, arguments, progress_callback=_ignore)
        texts = [part.text for part in answer.content if part.type == "text"]
        pictures = [part.data for part in answer.content if part.type == "image"]
        text = "\n".join(texts)
        row: dict[str, Any] = {
            "tool": tool,
            "arguments": arguments,
            "bytes": len(text.encode()),
            "picture_bytes": sum(len(each) * 3 // 4 for each in pictures),
            "seconds": round(time.perf_counter() - began, 3),
        }
        facts = {} if answer.is_error else _facts(text)
        if answer.is_error:
            row["error"] = text[:KEPT_TEXT]
        row |= {name: facts[name] for name in ("status", "total", "total_area_m2") if name in facts}
        log.add(row)
        if facts.get("status") != "running":
            return text, pictures, bool(answer.is_error)
    raise Refused(f"{tool} did not end")


async def _ignore(progress: float, total: float | None, message: str | None) -> None:
    """Does nothing with progress."""


def _facts(text: str) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def with_regions(facts: dict[str, Any]) -> dict[str, Any]:
    """An answer with its table of rows also as `regions`: one dictionary a row, with `lonlat` and `bbox` as lists."""
    if "rows" not in facts:
        return facts
    regions = [dict(zip(facts["columns"], row, strict=True)) for row in facts["rows"]]
    for region in regions:
        if "lon" in region:
            region["lonlat"] = [region["lon"], region["lat"]]
        if "west" in region:
            region["bbox"] = [region[side] for side in ("west", "south", "east", "north")]
    return {**facts, "regions": regions}


class Tools:
    """The three tools over one image, for solutions: each call gives the facts of its answer, or raises `Refused`.

    `numbers` are the numbers in the question's text, in their order.
    """

    def __init__(self, call: Callable[[str, dict[str, Any]], Content], image: str, question: str = "") -> None:
        self._call, self.image = call, image
        self.numbers = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", question)]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        text, _, failed = self._call(tool, arguments)
        if failed:
            raise Refused(text)
        facts: dict[str, Any] = json.loads(text)
        return with_regions(facts)

    def find(self, query: str, **more: Any) -> dict[str, Any]:
        """`reason_segment` on the image."""
        return self.call("reason_segment", image=self.image, query=query, preview=False, **more)

    def refine(self, result: dict[str, Any], **more: Any) -> dict[str, Any]:
        """`refine_mask` of an earlier answer."""
        return self.call("refine_mask", result_id=result["result_id"], preview=False, **more)

    def describe(self, result: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """`describe_region` of an earlier answer, or of what is named."""
        return self.call("describe_region", **({"result_id": result["result_id"]} if result else {}), **more)


@contextmanager
def connected(target: Any) -> Iterator[Callable[[Callable[[Client], Awaitable[Any]]], Any]]:
    """A client of a server in memory, or of a URL; what is given runs work with it from plain code."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(target)) as client:
        yield lambda work: portal.call(work, client)


def call_once(url: str, tool: str, arguments: dict[str, Any], log: Log) -> Content:
    """One call of a server at a URL."""

    async def work() -> Content:
        async with Client(url) as client:
            return await ask(client, tool, arguments, log)

    return asyncio.run(work())
