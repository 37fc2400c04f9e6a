"""A call of a tool: joined to its job, watched, told about, and answered in whichever way it ends."""

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent

from t2s_agent.errors import T2SError
from t2s_agent.results.files import MEDIA_TYPES, uri_of
from t2s_agent.server.jobs import Job, Jobs, Watch
from t2s_agent.server.service import OWNER, Service
from t2s_agent.server.tasks import LATE, SOON_S
from t2s_agent.text import one_line
from t2s_agent.tools.words import for_agents

log = logging.getLogger(__name__)
LONGEST_ERROR = 400  # characters
_FIRST_WORD_S = 1.0  # after which a call that still waits is told so
_HEARTBEAT_S = 5.0  # a step that lasts is told again, so that clients which wait for progress go on waiting
_MOST_NEWS = 20  # steps told at once; of more, the last ones
# Clients that turn a picture into text (docs/how-to/clients.md), by the name that they give. The first hands 50,000 and more characters of
# base64 to the model, the second "The task is complete". LlamaIndex and others do so too, but call themselves "mcp", as most do.
PICTURE_AS_TEXT = frozenset({"google-adk", "huggingface_hub.MCPClient"})


async def run_tool(
    service: Service, tool: str, work: Callable[..., Any], arguments: dict[str, Any], ctx: Context[Any, Any]
) -> CallToolResult:
    """What the agent gets. The work is done by a thread of the service's; it is stopped where this call is cancelled."""
    owner = OWNER.get()

    def run(progress: Callable[[str], None]) -> Any:
        def step(text: str) -> None:
            progress(service.redact(text))

        return work(service.engine(owner), progress=step, **arguments)

    tasks = LATE.get()
    try:
        watch = service.jobs.join(owner, tool, arguments, run)
        late = False  # only who is told "running" comes back for the answer; who cancels or is cut off does not
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
    return _without_pictures(result) if _name_of_client(ctx) in PICTURE_AS_TEXT else result


def job_result(service: Service, job: Job, tool: str) -> CallToolResult:
    """The answer to a call whose job has ended."""
    wrong = job.error
    if isinstance(wrong, T2SError):
        what, fix = (for_agents(service.redact(text)) for text in (wrong.what, wrong.fix))
        return error_result(T2SError(wrong.code, what, fix))
    if wrong is not None:
        return error_result(
            T2SError(
                "internal",
                f"{tool} met a fault of the server's own ({type(wrong).__name__})",
                "Its operator finds the details in the log; other arguments may work",
            )
        )
    return _tool_result(service, job.answer.facts(), job.answer.picture)


def _patience_s(service: Service, job: Job, ctx: Context[Any, Any]) -> float:
    """How long a call waits for its answer before it is told that the work goes on.

    A client that asks for no progress may give up after 5 s: it is told so earlier, and from the second time on it waits
    twice as long each time. One that takes tasks gets one instead.
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
    """An error as an agent reads it: `code: what. what to do.`, at most 400 characters, of which the last part survives."""
    text = str(error)
    if len(text) > LONGEST_ERROR:
        room = LONGEST_ERROR - len(error.code) - min(len(error.fix), 250) - 8
        what = error.what if len(error.what) <= room else error.what[: room - 1] + "…"
        text = str(T2SError(error.code, what, error.fix))
        text = text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 2] + "…."
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=text)])


async def _report_until_done(watch: Watch, jobs: Jobs, patience_s: float, ctx: Context[Any, Any]) -> bool:
    """Tells the caller of every step until the job is done; False where that takes too long."""
    job, loop = watch.job, asyncio.get_running_loop()
    began, count, seen, got_on = loop.time(), 0, 0, True
    while True:
        news = job.steps[max(seen, len(job.steps) - _MOST_NEWS) :]
        seen = len(job.steps)
        if not got_on and not news:  # woken by the clock: where it stands, with the time
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
        got_on = await watch.change(min(left, _HEARTBEAT_S if count else _FIRST_WORD_S))


def _running_status(tool: str, job: Job) -> dict[str, Any]:
    return {
        "status": "running",
        "job": job.id,
        "next": f"call {tool} again with the same arguments: it joins this work and waits for it",
    }


def _tool_result(service: Service, facts: dict[str, Any], picture: bytes = b"") -> CallToolResult:
    """Text and structured content with the same facts, then a picture and links where they are wanted."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    content: list[Any] = [TextContent(type="text", text=text)]
    if picture:
        data = base64.b64encode(picture).decode()
        content.append(ImageContent(type="image", data=data, mime_type="image/jpeg"))
    content += _links(service.settings.resource_links, facts)
    return CallToolResult(content=content, structured_content=facts if service.settings.structured_output else None)


def _name_of_client(ctx: Context[Any, Any]) -> str:
    params = ctx.session.client_params
    return params.client_info.name if params and params.client_info else ""


def _without_pictures(result: CallToolResult) -> CallToolResult:
    content = [each for each in result.content if not isinstance(each, ImageContent)]
    return result.model_copy(update={"content": content})


def _links(wanted: str, facts: dict[str, Any]) -> Sequence[ResourceLink]:
    """Links to a result's files: always, never, or (auto) where not all of its regions are in the answer."""
    result_id = facts.get("result_id")
    if not result_id or wanted == "never" or (wanted == "auto" and "next" not in facts):
        return []
    return [
        ResourceLink(type="resource_link", uri=uri_of(result_id, name), name=name, mime_type=kind)
        for name, kind in MEDIA_TYPES.items()
    ]
