"""Converts the functions of `t2s_agent.tools` to the SDK's Tools; the schema for agents comes from each signature."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, ToolAnnotations

from t2s_agent.server.calls import run_tool
from t2s_agent.server.page.app import TOOL_META
from t2s_agent.server.service import Service
from t2s_agent.tools import describe_region, reason_segment, refine_mask

_FILLED_IN = ("engine", "progress")  # parameters that the server fills in
TITLES = {
    reason_segment: "Find and measure things in an overhead image",
    refine_mask: "Filter, combine or correct a result",
    describe_region: "Measure a result, a region or an image",
}
OURS = frozenset(work.__name__ for work in TITLES)  # tools that refuse arguments they do not have


def tools_of(service: Service) -> list[Tool]:
    """Returns the three tools for one service."""
    return [_tool(service, work, title) for work, title in TITLES.items()]


def _tool(service: Service, work: Callable[..., Any], title: str) -> Tool:
    async def call(ctx: Context[Any, Any], **arguments: Any) -> CallToolResult:
        return await run_tool(service, work.__name__, work, arguments, ctx)

    given = inspect.signature(work)
    ctx = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=Context)
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in given.parameters.items()
        if name not in _FILLED_IN
    ]
    answer = Annotated[CallToolResult, given.return_annotation]
    call.__signature__ = inspect.Signature([*parameters, ctx], return_annotation=answer)  # type: ignore[attr-defined]  # inspect reads it; typeshed lacks it
    call.__annotations__ = {each.name: each.annotation for each in (*parameters, ctx)} | {"return": answer}
    remote = service.settings.prompter.startswith(("http://", "https://"))
    tool = Tool.from_function(
        call,
        name=work.__name__,
        title=title,
        description=inspect.getdoc(work),
        # Imagery and earlier results are only read, and the same call gives the same regions; only new results are added.
        annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=remote),
        structured_output=service.settings.structured_output,
        meta=None if work is describe_region else TOOL_META,
    )
    tool.parameters = compact(tool.parameters)  # without additionalProperties, which some clients cannot convert
    if tool.fn_metadata.output_schema is not None:
        tool.fn_metadata.output_schema = given.return_annotation.schema_out()
    return tool


def compact(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a JSON schema without pydantic's titles and with its definitions inlined."""
    definitions = schema.get("$defs", {})

    def slim(node: Any, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [slim(each) for each in node]
        if not isinstance(node, dict):
            return node
        if names:  # the keys are names of properties, not keywords
            return {name: slim(each) for name, each in node.items()}
        if "$ref" in node:
            return slim(definitions[node["$ref"].rsplit("/", 1)[-1]])
        left_out = {"title", "$defs", "additionalProperties"}  # defaults stay: DSPy requires whatever has none
        return {key: slim(value, names=key == "properties") for key, value in node.items() if key not in left_out}

    slimmed: dict[str, Any] = slim(schema)
    return slimmed
