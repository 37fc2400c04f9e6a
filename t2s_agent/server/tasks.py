"""Tasks (SEP-2663, `io.modelcontextprotocol/tasks`): a call that takes long is answered with a handle that the client asks about.

Over the table of jobs: a task is one caller's claim on a job. Only clients that declare the extension with a call get a handle, and
only where the answer is not there soon; all others are answered as ever. Written to the extension's draft of 2026-07-28
(modelcontextprotocol/ext-tasks, `specification/draft/tasks.md`). A task never asks its client for input, so `tasks/update` has
nothing to deliver; status notifications, which the extension leaves to servers, are not sent.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp_types import INVALID_PARAMS, CallToolRequestParams, CallToolResult, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from t2s_agent.server.jobs import KEPT_S, Job, Jobs
from t2s_agent.text import one_line

EXTENSION = "io.modelcontextprotocol/tasks"
SOON_S = 2.0  # an answer that comes within this time needs no task
MOST_TASKS = 256  # of one credential; the oldest that has ended makes room for a new one
KEPT_MS = int(1000 * 4 * KEPT_S)  # from its creation on
POLL_MS = 2_000
Answered = Callable[[Job, str], CallToolResult]  # the answer to a call whose job, for a tool, has ended


@dataclass(slots=True)
class Late:
    """What a call of a client that takes tasks leaves behind where its answer is not there soon."""

    job: Job | None = None
    tool: str = ""


LATE: ContextVar[Late | None] = ContextVar("late", default=None)  # set where a call may be answered by a task


@dataclass(slots=True)
class Task:
    """One caller's claim on a job."""

    id: str
    owner: str
    tool: str
    job: Job
    created: datetime
    until: float  # of the monotonic clock
    cancelled: bool = False

    def state(self) -> dict[str, Any]:
        """The fields that every message about a task has."""
        said: dict[str, Any] = {
            "taskId": self.id,
            "status": self.status,
            "createdAt": self.created.isoformat(timespec="milliseconds"),
            "lastUpdatedAt": (self.job.changed or self.created).isoformat(timespec="milliseconds"),
            "ttlMs": KEPT_MS,
            "pollIntervalMs": POLL_MS,
        }
        if not self.job.done and self.job.steps:
            said["statusMessage"] = one_line(self.job.steps[-1], 200)
        return said

    @property
    def status(self) -> str:
        if self.cancelled:
            return "cancelled"
        return "completed" if self.job.done else "working"


@dataclass(slots=True)
class TaskTable:
    """The tasks of all credentials, by their ids of 128 random bits."""

    jobs: Jobs
    _tasks: "OrderedDict[str, Task]" = field(default_factory=OrderedDict)

    def add(self, owner: str, tool: str, job: Job) -> Task | None:
        """A new task; None where the owner has too many that are still at work."""
        self._forget()
        own = [task for task in self._tasks.values() if task.owner == owner]
        if len(own) >= MOST_TASKS:
            ended = next((task for task in own if task.job.done), None)
            if ended is None:
                return None
            del self._tasks[ended.id]
        task = Task(secrets.token_hex(16), owner, tool, job, datetime.now(UTC), time.monotonic() + KEPT_MS / 1000)
        self._tasks[task.id] = task
        return task

    def of(self, owner: str, id_: str) -> Task:
        """The owner's task of that id. Raises MCPError with "invalid params" for one that is not there, or not the owner's."""
        self._forget()
        task = self._tasks.get(id_)
        if task is None or task.owner != owner:
            raise MCPError(INVALID_PARAMS, f"there is no task {one_line(id_, 60)!r}. Call the tool again")
        return task

    def cancel(self, task: Task) -> None:
        """Stops the work where no other call or task waits for it."""
        if task.job.done or task.cancelled:
            return
        task.cancelled = True
        if not any(other.job is task.job and not other.cancelled for other in self._tasks.values()):
            self.jobs.give_up(task.job)

    def _forget(self) -> None:
        now = time.monotonic()
        for task in [task for task in self._tasks.values() if task.until < now]:
            del self._tasks[task.id]


class _Params(RequestParams):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    task_id: str = Field(max_length=200)


class _UpdateParams(_Params):
    input_responses: dict[str, Any] = Field(default_factory=dict)


class Tasks(Extension):
    """For `MCPServer(extensions=[...])`. `owner` says who calls; `answer` makes the answer to a call from its job."""

    identifier = EXTENSION

    def __init__(self, jobs: Jobs, owner: Callable[[], str], answer: Answered) -> None:
        self.table = TaskTable(jobs)
        self._owner, self._answer = owner, answer

    def methods(self) -> Sequence[MethodBinding]:
        """`tasks/get`, `tasks/update` and `tasks/cancel`, in the revisions that have extensions."""
        modern = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("tasks/get", _Params, self._get, modern),
            MethodBinding("tasks/update", _UpdateParams, self._update, modern),
            MethodBinding("tasks/cancel", _Params, self._cancel, modern),
        ]

    async def intercept_tool_call(
        self,
        params: CallToolRequestParams,  # noqa: ARG002 (the signature is the SDK's)
        ctx: ServerRequestContext[Any, Any],
        call_next: CallNext,
    ) -> HandlerResult:
        """A call of a client that takes tasks: its answer where that is there soon, else a task."""
        if not supports_tasks(ctx):
            return await call_next(ctx)
        late = Late()
        token = LATE.set(late)
        try:
            result = await call_next(ctx)
        finally:
            LATE.reset(token)
        if late.job is None:
            return result
        task = self.table.add(self._owner(), late.tool, late.job)
        return result if task is None else {"resultType": "task", **task.state()}

    async def _get(self, ctx: ServerRequestContext[Any, Any], params: _Params) -> HandlerResult:
        require_client_extension(ctx, EXTENSION)
        task = self.table.of(self._owner(), params.task_id)
        state = task.state()
        if task.status == "completed":
            result = self._answer(task.job, task.tool)
            state["result"] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {"resultType": "complete", **state}

    async def _update(self, ctx: ServerRequestContext[Any, Any], params: _UpdateParams) -> HandlerResult:
        require_client_extension(ctx, EXTENSION)
        self.table.of(self._owner(), params.task_id)  # responses to what was never asked are left alone
        return {"resultType": "complete"}

    async def _cancel(self, ctx: ServerRequestContext[Any, Any], params: _Params) -> HandlerResult:
        require_client_extension(ctx, EXTENSION)
        self.table.cancel(self.table.of(self._owner(), params.task_id))
        return {"resultType": "complete"}


def supports_tasks(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether a request declares the extension, in a revision that has it."""
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return False
    capabilities = ctx.session.client_capabilities
    return bool(capabilities and capabilities.extensions and EXTENSION in capabilities.extensions)
