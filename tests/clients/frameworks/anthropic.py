# /// script
# dependencies = ["anthropic[mcp]==2.14.0"]
# ///
"""Anthropic's SDK, its conversion of tools: python -m tests.clients.frameworks.anthropic URL."""

import asyncio
import sys

from anthropic.lib.tools.mcp import async_mcp_tool
from mcp import Client

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with Client(sys.argv[1]) as client:
        tools = {tool.name: async_mcp_tool(tool, client.session) for tool in (await client.list_tools()).tools}

        async def call(tool: str, arguments: dict) -> Seen:
            blocks = await tools[tool].call(arguments)
            if isinstance(blocks, str):
                return Seen(blocks)
            texts = [block["text"] for block in blocks if block["type"] == "text"]
            return Seen(" ".join(texts), any(block["type"] == "image" for block in blocks))

        await report({name: tool.input_schema for name, tool in tools.items()}, call)


asyncio.run(main())
