# /// script
# dependencies = ["huggingface_hub[mcp]==2.4.0"]
# ///
"""huggingface_hub's MCPClient: python -m tests.clients.frameworks.huggingface_hub URL."""

import asyncio
import sys

from huggingface_hub import MCPClient
from huggingface_hub.inference._mcp.utils import format_result

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with MCPClient(model="none", api_key="none") as client:
        await client.add_mcp_server("http", url=sys.argv[1])

        async def call(tool: str, arguments: dict) -> Seen:
            return Seen(format_result(await client.sessions[tool].call_tool(tool, arguments)))  # as its loop does

        await report({each.function.name: each.function.parameters for each in client.available_tools}, call)


asyncio.run(main())
