"""Implements MCP tasks (SEP-2663, `io.modelcontextprotocol/tasks`): a long call returns a task id that the client polls.

A task refers to a job for one caller. Only clients that declare the extension with a call get a task, and only if the answer is
not ready soon; all others get ordinary answers. Written for the extension's draft of 2026-07-28 (modelcontextprotocol/ext-tasks,
`specification/draft/tasks.md`). A task never asks its client for input, so `tasks/update` has no effect. Status notifications,
which are optional, are not sent.
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
SOON_S = 2.0  # an answer within this time needs no task
MOST_TASKS = 256  # per credential; the oldest task that has ended is removed for a new one
KEPT_MS = int(1000 * 4 * KEPT_S)  # since the creation of the task
POLL_MS = 2_000
Answered = Callable[[Job, str], CallToolResult]  # from an ended job and its tool's name to the tool result


@dataclass(slots=True)
class Late:
    """The job and tool of a call whose answer was not ready soon; set for clients that support tasks."""

    job: Job | None = None
    tool: str = ""


LATE: ContextVar[Late | None] = ContextVar("late", default=None)  # set if a call may be answered with a task


@dataclass(slots=True)
class Task:
    """A job as one caller sees it."""

    id: str
    owner: str
    tool: str
    job: Job
    created: datetime
    until: float  # time of the monotonic clock when the task is forgotten
    cancelled: bool = False

    def state(self) -> dict[str, Any]:
        """Returns the fields that every message about a task has."""
        fields: dict[str, Any] = {
            "taskId": self.id,
            "status": self.status,
            "createdAt": self.created.isoformat(timespec="milliseconds"),
            "lastUpdatedAt": (self.job.changed or self.created).isoformat(timespec="milliseconds"),
            "ttlMs": KEPT_MS,
            "pollIntervalMs": POLL_MS,
        }
        if not self.job.done and self.job.steps:
            fields["statusMessage"] = one_line(self.job.steps[-1], 200)
        return fields

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
        """Returns a new task; None if the owner has too many unfinished tasks."""
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
        """Returns the owner's task of that id. Raises MCPError "invalid params" if there is none or it has another owner."""
        self._forget()
        task = self._tasks.get(id_)
        if task is None or task.owner != owner:
            raise MCPError(INVALID_PARAMS, f"there is no task {one_line(id_, 60)!r}. Call the tool again")
        return task

    def cancel(self, task: Task) -> None:
        """Cancels the task; stops the work if no other call or task waits for it."""
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
    """The extension for `MCPServer(extensions=[...])`. `owner` returns the caller; `answer` makes a tool result from a job."""

    identifier = EXTENSION

    def __init__(self, jobs: Jobs, owner: Callable[[], str], answer: Answered) -> None:
        self.table = TaskTable(jobs)
        self._owner, self._answer = owner, answer

    def methods(self) -> Sequence[MethodBinding]:
        """Returns `tasks/get`, `tasks/update` and `tasks/cancel`, for the protocol revisions that have extensions."""
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
        """Returns the answer of a call; for clients that support tasks, a task if the answer is not ready soon."""
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
        self.table.of(self._owner(), params.task_id)  # a task never asks for input, so the responses are ignored
        return {"resultType": "complete"}

    async def _cancel(self, ctx: ServerRequestContext[Any, Any], params: _Params) -> HandlerResult:
        require_client_extension(ctx, EXTENSION)
        self.table.cancel(self.table.of(self._owner(), params.task_id))
        return {"resultType": "complete"}


def supports_tasks(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether a request declares the extension, in a protocol revision that has it."""
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return False
    capabilities = ctx.session.client_capabilities
    return bool(capabilities and capabilities.extensions and EXTENSION in capabilities.extensions)
