"""Streams work to a browser: progress lines, then the outcome; the work stops if the browser disconnects."""

import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.pipeline.steps import Progress
from t2s_agent.results.record import Record
from t2s_agent.text import one_line

Task = Callable[[Progress], Record]
Work = Callable[[Engine, Callable[[], Record]], Awaitable[Record]]
Discreet = Callable[[str], str]


async def in_thread(_: Engine, task: Callable[[], Record]) -> Record:
    """Runs the work immediately in one of anyio's threads."""
    return await anyio.to_thread.run_sync(task, abandon_on_cancel=True)


class WorkResponse(Response):
    """Sends one JSON object per line: {"progress": text} for each step, then {"result": id} or {"error": {...}}.

    Where the reader goes away the work stops at its next step. A bug is not dressed up: it propagates, is logged, and the
    lines end without an outcome.
    """

    media_type = "application/x-ndjson"

    def __init__(self, engine: Engine, task: Task, work: Work, redact: Discreet = str) -> None:
        self.status_code = 200
        self.background = None
        self._engine, self._task, self._work, self._redact = engine, task, work, redact
        self.init_headers()  # no body yet, so no length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def tell(line: dict[str, Any]) -> None:
            text = self._redact(json.dumps(line, ensure_ascii=False, allow_nan=False))
            await send({"type": "http.response.body", "body": text.encode() + b"\n", "more_body": True})

        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch)
            await tell(await self._outcome(tell))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()

    async def _outcome(self, tell: Callable[[dict[str, Any]], Coroutine[Any, Any, None]]) -> dict[str, Any]:
        def progress(text: str) -> None:
            anyio.from_thread.check_cancelled()
            anyio.from_thread.run(tell, {"progress": one_line(text, 300)})

        await tell({"progress": "waiting for its turn"})
        try:
            result = await self._work(self._engine, lambda: self._task(progress))
        except T2SError as error:
            return {"error": error_of(error)}
        return {"result": result.id}


def error_of(error: T2SError) -> dict[str, str]:
    """Returns an error as a JSON object."""
    return {"code": error.code, "what": error.what, "fix": error.fix}
