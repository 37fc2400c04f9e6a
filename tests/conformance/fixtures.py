"""What the conformance suite asks of a server besides its own tools: content of every kind, resources, prompts.

The names are the suite's. Each fixture is as small as its scenario allows.
"""

import base64
import json
from typing import Annotated, Any

import anyio
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field

# One red pixel, and one sample of silence.
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
    )
).decode()
WAV = base64.b64encode(
    bytes.fromhex("524946462600000057415645666d74201000000001000100401f0000803e0000020010006461746102000000" + "0000")
).decode()

# The keywords that the suite looks for in tools/list, to the letter.
EVERY_KEYWORD: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def add_content(server: MCPServer[Any]) -> None:
    """Tools that answer with each kind of content, with an error, or with nothing but a schema."""

    @server.tool()
    def test_simple_text() -> str:
        """Answers with a text."""
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> list[ImageContent]:
        """Answers with a picture."""
        return [_picture()]

    @server.tool()
    def test_audio_content() -> list[AudioContent]:
        """Answers with a sound."""
        return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]

    @server.tool()
    def test_embedded_resource() -> list[EmbeddedResource]:
        """Answers with a resource."""
        return [_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]

    @server.tool()
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        """Answers with text, a picture and a resource."""
        document = _embedded("test://mixed-content-resource", "application/json", '{"test": "data", "value": 123}')
        return [TextContent(type="text", text="Multiple content types test:"), _picture(), document]

    @server.tool()
    def test_error_handling() -> str:
        """Fails."""
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool()
    def json_schema_2020_12_tool() -> str:
        """Has an input schema with every keyword."""
        return "its input schema is what counts"

    # The SDK has no public way to give a tool's schema as it is.
    server._tool_manager._tools["json_schema_2020_12_tool"].parameters = EVERY_KEYWORD

    @server.tool()
    def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "nowhere",
    ) -> str:
        """Has an argument that also travels as a header."""
        return f"region={region}"


def add_notifications(server: MCPServer[Any]) -> None:
    """Tools that say something while they work, close their stream, or change the lists."""

    @server.tool()
    async def test_tool_with_logging(ctx: Context) -> str:
        """Logs three messages."""
        for step in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(step)
            await anyio.sleep(0.05)  # the suite wants the messages apart from each other
        return "Tool with logging executed successfully"

    @server.tool()
    async def test_logging_tool(ctx: Context) -> str:
        """Logs one message."""
        await ctx.info("heard only by those who set a log level")
        return "logged"

    @server.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Reports three steps."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"Completed step {done} of 100")
            await anyio.sleep(0.05)
        return "done"

    @server.tool()
    async def test_reconnection(ctx: Context) -> str:
        """Closes its stream and goes on."""
        await ctx.info("Before the stream closes")
        await ctx.close_sse_stream()
        await anyio.sleep(0.2)  # time in which the client comes back
        await ctx.info("After it came back")
        return "Reconnection test completed"

    @server.tool()
    async def test_trigger_tool_change(ctx: Context) -> str:
        """Adds and removes a tool."""
        server.add_tool(lambda: "here for a moment", name="test_passing_tool")
        server.remove_tool("test_passing_tool")
        await ctx.notify_tools_changed()
        return "tools changed"

    @server.tool()
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """Adds and removes a prompt."""
        server.add_prompt(Prompt.from_function(lambda: "here for a moment", name="test_passing_prompt"))
        server.remove_prompt("test_passing_prompt")
        await ctx.notify_prompts_changed()
        return "prompts changed"

    @server.tool()
    async def test_missing_capability(ctx: Context) -> str:
        """Needs a client that can sample."""
        declared = ctx.client_capabilities
        if declared is None or declared.sampling is None:
            needed = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs the client's sampling", needed)
        return "the client can sample"


def add_resources(server: MCPServer[Any]) -> None:
    """Text, binary, a template and one to subscribe to."""

    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """A picture."""
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """A text for each id."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """A text that one may subscribe to."""
        return "Watched resource content"

    # 2025-11-25 has these three; the SDK answers them only where somebody asked for it.
    async def agree(
        ctx: Any, params: SetLevelRequestParams | SubscribeRequestParams | UnsubscribeRequestParams
    ) -> EmptyResult:
        return EmptyResult()

    for method, params in (
        ("logging/setLevel", SetLevelRequestParams),
        ("resources/subscribe", SubscribeRequestParams),
        ("resources/unsubscribe", UnsubscribeRequestParams),
    ):
        server._lowlevel_server.add_request_handler(method, params, agree)


def add_prompts(server: MCPServer[Any]) -> None:
    """Prompts of text, with arguments, with a resource and with a picture."""

    @server.prompt()
    def test_simple_prompt() -> str:
        """A prompt of one sentence."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A prompt with two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        """A prompt that brings a resource."""
        document = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(document), UserMessage("Please process the embedded resource above.")]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """A prompt that brings a picture."""
        return [UserMessage(_picture()), UserMessage("Please analyze the image above.")]


def _picture() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))
