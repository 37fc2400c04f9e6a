"""Runs a tool call: starts or joins its job, reports progress, and returns the job's answer, error or status."""

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent

from t2s_agent.errors import T2SError
from t2s_agent.results.files import ALWAYS, MEDIA_TYPES, uri_of
from t2s_agent.server.jobs import Job, Jobs, Watch
from t2s_agent.server.service import OWNER, Service
from t2s_agent.server.tasks import LATE, SOON_S
from t2s_agent.text import one_line
from t2s_agent.tools.words import for_agents

log = logging.getLogger(__name__)
LONGEST_ERROR = 400  # characters
_FIRST_REPORT_S = 1.0  # a call that still waits after this time gets its first progress report
_HEARTBEAT_S = 5.0  # a long step is reported again at this interval, so that clients do not time out
_MOST_NEWS = 20  # steps reported at once; if there are more, the last ones
# Clients that turn a picture into text (docs/how-to/clients.md), by the name that they send. The first gives 50,000 and more
# characters of base64 to the model, the second "The task is complete". LlamaIndex and others do so too, but their name is "mcp",
# as that of most clients.
PICTURE_AS_TEXT = frozenset({"google-adk", "huggingface_hub.MCPClient"})


async def run_tool(
    service: Service, tool: str, work: Callable[..., Any], arguments: dict[str, Any], ctx: Context[Any, Any]
) -> CallToolResult:
    """Returns the tool result for the agent. A worker thread does the work; it stops if this call is cancelled."""
    owner = OWNER.get()

    def run(progress: Callable[[str], None]) -> Any:
        def step(text: str) -> None:
            progress(service.redact(text))

        return work(service.engine(owner), progress=step, **arguments)

    tasks = LATE.get()
    try:
        watch = service.jobs.join(owner, tool, arguments, run)
        late = False  # only a caller that got "running" comes back for the answer; one that cancelled does not
        try:
            late = not await _report_until_done(watch, service.jobs, _patience_s(service, watch.job, ctx), ctx)
        finally:
            service.jobs.leave(watch, promise=late)
    except T2SError as error:
        return error_result(error)
    if late and tasks is not None:
        tasks.job, tasks.tool = watch.job, tool
    if late:
        return _tool_result(service, _running_status(tool, watch.job))
    result = job_result(service, watch.job, tool)
    return _without_pictures(result) if _client_name(ctx) in PICTURE_AS_TEXT else result


def job_result(service: Service, job: Job, tool: str) -> CallToolResult:
    """Returns the tool result of a job that has ended."""
    error = job.error
    if isinstance(error, T2SError):
        what, fix = (for_agents(service.redact(text)) for text in (error.what, error.fix))
        return error_result(T2SError(error.code, what, fix))
    if error is not None:
        return error_result(
            T2SError(
                "internal",
                f"{tool} failed because of a bug in the server ({type(error).__name__})",
                "The server's log has the details; other arguments may work",
            )
        )
    return _tool_result(service, job.answer.facts(), job.answer.picture)


def _patience_s(service: Service, job: Job, ctx: Context[Any, Any]) -> float:
    """Returns how many seconds a call waits for its answer before it gets the status "running".

    A client that does not ask for progress may give up after 5 s, so it gets "running" earlier; each repeated call waits twice
    as long. A client that supports tasks gets a task instead.
    """
    longest = service.settings.answer_within_s
    if LATE.get() is not None:
        return min(SOON_S, longest)
    meta = ctx.request_context.meta
    if meta is not None and meta.get("progress_token") is not None:
        return longest
    job.quiet_calls += 1
    return min(longest, service.settings.answer_unwatched_within_s * 2.0 ** min(job.quiet_calls - 1, 10))


def error_result(error: T2SError) -> CallToolResult:
    """Returns an error for the agent, `code: what. fix.`, at most 400 characters; `what` is shortened first."""
    text = str(error)
    if len(text) > LONGEST_ERROR:
        room = LONGEST_ERROR - len(error.code) - min(len(error.fix), 250) - 8
        what = error.what if len(error.what) <= room else error.what[: room - 1] + "…"
        text = str(T2SError(error.code, what, error.fix))
        text = text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 2] + "…."
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=text)])


async def _report_until_done(watch: Watch, jobs: Jobs, patience_s: float, ctx: Context[Any, Any]) -> bool:
    """Reports every step to the caller until the job is done; returns False if that takes longer than `patience_s`."""
    job, loop = watch.job, asyncio.get_running_loop()
    began, count, seen, progressed = loop.time(), 0, 0, True
    while True:
        news = job.steps[max(seen, len(job.steps) - _MOST_NEWS) :]
        seen = len(job.steps)
        if not progressed and not news:  # woken by the timeout: report the current step with the elapsed time
            waiting = jobs.ahead_of(job)
            last = f"waiting for a model, place {waiting} in your queue" if waiting else (job.steps or ["starting"])[-1]
            news = [f"{last} ({loop.time() - began:.0f} s)"]
        for step in news:
            count += 1
            await ctx.report_progress(count, message=one_line(step, 200))
        if job.done:
            return True
        left = patience_s - (loop.time() - began)
        if left <= 0:
            return False
        progressed = await watch.change(min(left, _HEARTBEAT_S if count else _FIRST_REPORT_S))


def _running_status(tool: str, job: Job) -> dict[str, Any]:
    return {
        "status": "running",
        "job": job.id,
        "next": f"call {tool} again with the same arguments: it joins this work and waits for it",
    }


def _tool_result(service: Service, facts: dict[str, Any], picture: bytes = b"") -> CallToolResult:
    """Returns the facts as text and as structured content, then a picture and links if requested."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    content: list[Any] = [TextContent(type="text", text=text)]
    if picture:
        data = base64.b64encode(picture).decode()
        content.append(ImageContent(type="image", data=data, mime_type="image/jpeg"))
    content += _links(service.settings.resource_links, facts)
    return CallToolResult(content=content, structured_content=facts if service.settings.structured_output else None)


def _client_name(ctx: Context[Any, Any]) -> str:
    params = ctx.session.client_params
    return params.client_info.name if params and params.client_info else ""


def _without_pictures(result: CallToolResult) -> CallToolResult:
    content = [each for each in result.content if not isinstance(each, ImageContent)]
    return result.model_copy(update={"content": content})


def _links(wanted: str, facts: dict[str, Any]) -> Sequence[ResourceLink]:
    """Returns links to a result's files: always, never, or ("auto") if not all of its regions are in the answer."""
    result_id = facts.get("result_id")
    if not result_id or wanted == "never" or (wanted == "auto" and "next" not in facts):
        return []
    return [
        ResourceLink(type="resource_link", uri=uri_of(result_id, name), name=name, mime_type=MEDIA_TYPES[name])
        for name in ALWAYS
    ]
