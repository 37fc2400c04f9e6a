# /// script
# dependencies = ["google-genai==3.6.1", "mcp==2.3.0"]
# ///
"""google-genai's conversion of tools, and its own session for calls: python -m tests.clients.frameworks.google_genai URL."""

import asyncio
import sys

from google.genai._mcp_utils import mcp_to_gemini_tool
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with streamable_http_client(sys.argv[1]) as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        listed = (await session.list_tools()).tools
        declared = [mcp_to_gemini_tool(tool).function_declarations[0] for tool in listed]

        async def call(tool: str, arguments: dict) -> Seen:
            result = await session.call_tool(tool, arguments)
            texts = [each.text for each in result.content if each.type == "text"]
            picture = any(each.type == "image" for each in result.content)
            failed = "is_error" if result.is_error else ""
            return Seen(" ".join(texts), picture, bool(result.structured_content), failed)

        await report({each.name: each.parameters.model_dump(mode="json", exclude_none=True) for each in declared}, call)


asyncio.run(main())
