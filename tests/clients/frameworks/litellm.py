# /// script
# dependencies = ["litellm==1.110.2", "mcp==2.3.0"]
# ///
"""LiteLLM's conversions over the SDK's session: python -m tests.clients.frameworks.litellm URL."""

import asyncio
import json
import sys

from litellm.experimental_mcp_client import call_openai_tool, load_mcp_tools
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with streamable_http_client(sys.argv[1]) as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        tools = [tool["function"] for tool in await load_mcp_tools(session=session, format="openai")]

        async def call(tool: str, arguments: dict) -> Seen:
            asked = {"id": "1", "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}
            result = await call_openai_tool(session=session, openai_tool=asked)
            texts = [each.text for each in result.content if each.type == "text"]
            picture = any(each.type == "image" for each in result.content)
            return Seen(
                " ".join(texts), picture, bool(result.structured_content), "is_error" if result.is_error else ""
            )

        await report({tool["name"]: tool["parameters"] for tool in tools}, call)


asyncio.run(main())
