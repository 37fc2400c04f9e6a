"""Fixtures that ask the client back: sampling and elicitation of 2025-11-25, input-required results of 2026-07-28."""

import json
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

STATES = ["active", "inactive", "pending"]

DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": STATES, "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
ENUMS = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
    "titledSingle": {
        "type": "string",
        "oneOf": [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)],
    },
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2"]}},
    "titledMulti": {
        "type": "array",
        "items": {"anyOf": [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]},
    },
}


def add_callbacks(server: MCPServer[Any]) -> None:
    """The older way: a request to the client while the call waits."""

    @server.tool()
    async def test_sampling(prompt: str, ctx: Context) -> str:
        """Has the client's model answer."""
        # Related to this call, or it would go to a stream that may not be open yet.
        message = await ctx.session.create_message([_said(prompt)], max_tokens=100, related_request_id=ctx.request_id)
        return f"LLM response: {_text(message)}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Context) -> str:
        """Has the user answer."""
        return await _elicited(ctx, message, {"response": {"type": "string"}}, ["response"])

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Has the user answer a form with defaults."""
        return await _elicited(ctx, "Please check these values", DEFAULTS)

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Has the user choose, in every way of writing a choice."""
        return await _elicited(ctx, "Please choose", ENUMS)


def add_rounds(server: MCPServer[Any]) -> None:
    """The newer way: the call ends with what it needs, and comes again with the answers."""

    @server.tool()
    async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Needs the user's name."""
        if name := _answer(ctx, "user_name", "name"):
            return f"Hello, {name}!"
        return InputRequiredResult(input_requests={"user_name": _ask("What is your name?", "name")})

    @server.tool()
    async def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Reports a step, then needs the user's name."""
        await ctx.report_progress(1, 2, "asking")
        if name := _answer(ctx, "user_name", "name"):
            return f"Hello, {name}!"
        return InputRequiredResult(input_requests={"user_name": _ask("What is your name?", "name")})

    @server.tool()
    async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
        """Needs the client's model."""
        if answer := (ctx.input_responses or {}).get("capital_question"):
            return f"Model said: {_text(answer)}"
        return InputRequiredResult(input_requests={"capital_question": _sample("What is the capital of France?")})

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
        """Needs the client's roots."""
        answer = (ctx.input_responses or {}).get("client_roots")
        if isinstance(answer, ListRootsResult):
            return f"The client has {len(answer.roots)} root(s)."
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})

    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
        """Needs a name, the client's model and its roots at once."""
        requests: dict[str, InputRequest] = {
            "user_name": _ask("What is your name?", "name"),
            "greeting": _sample("Generate a greeting"),
            "client_roots": ListRootsRequest(),
        }
        if requests.keys() <= (ctx.input_responses or {}).keys():
            return "All three answers are here."
        return InputRequiredResult(input_requests=requests, request_state="asked for three")

    @server.tool()
    async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Needs a confirmation and its own state back."""
        if ctx.request_state == "asked once" and "confirm" in (ctx.input_responses or {}):
            return "state-ok: the answer came with the state"
        return _confirm("asked once")

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """Answers with the state that it got back."""
        # A state that was changed on its way never gets here: the SDK signs it.
        if ctx.request_state is None:
            return _confirm("first round")
        return f"state-ok: {ctx.request_state}"

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """Needs a name, then a color."""
        state: dict[str, Any] = json.loads(ctx.request_state or "{}")
        if state.get("round") == 1 and (name := _answer(ctx, "step1", "name")):
            second = {"step2": _ask("Step 2: What is your favorite color?", "color")}
            return InputRequiredResult(input_requests=second, request_state=json.dumps({"round": 2, "name": name}))
        if state.get("round") == 2 and (color := _answer(ctx, "step2", "color")):
            return f"{state['name']} likes {color}."
        first = {"step1": _ask("Step 1: What is your name?", "name")}
        return InputRequiredResult(input_requests=first, request_state=json.dumps({"round": 1}))

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Context) -> InputRequiredResult:
        """Needs what the client said it can do."""
        declared = ctx.client_capabilities
        requests: dict[str, InputRequest] = {}
        if declared and declared.sampling is not None:
            requests["sample"] = _sample("Say hello")
        if declared and declared.elicitation is not None:
            requests["ask"] = _ask("What is your name?", "name")
        return InputRequiredResult(input_requests=requests, request_state="only what the client declared")

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> str | InputRequiredResult:
        """Needs a context, then is a prompt."""
        if context := _answer(ctx, "user_context", "context"):
            return f"Use the following context: {context}"
        return InputRequiredResult(input_requests={"user_context": _ask("What is the context?", "context")})


async def _elicited(ctx: Context, message: str, properties: dict[str, Any], required: list[str] | None = None) -> str:
    schema = {"type": "object", "properties": properties, "required": required or []}
    result = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return f"User response: action={result.action}, content={json.dumps(result.content or {})}"


def _answer(ctx: Context, request: str, field: str) -> object:
    """A field of an accepted form, or None: not asked yet, declined, or the wrong kind of answer."""
    answer = (ctx.input_responses or {}).get(request)
    return (answer.content or {}).get(field) if isinstance(answer, ElicitResult) else None


def _ask(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _confirm(state: str) -> InputRequiredResult:
    return InputRequiredResult(input_requests={"confirm": _ask("Please confirm", "ok", "boolean")}, request_state=state)


def _sample(prompt: str) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[_said(prompt)], max_tokens=100))


def _said(text: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(type="text", text=text))


def _text(answer: object) -> str:
    if isinstance(answer, CreateMessageResult) and isinstance(answer.content, TextContent):
        return answer.content.text
    return f"no text ({type(answer).__name__})"
