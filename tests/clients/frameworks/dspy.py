# /// script
# dependencies = ["dspy[mcp]==3.4.1"]
# ///
"""DSPy's tools over the SDK's client: python -m tests.clients.frameworks.dspy URL."""

import asyncio
import sys

from dspy.utils.mcp import convert_mcp_tool
from mcp import Client

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with Client(sys.argv[1]) as client:
        tools = {tool.name: convert_mcp_tool(client, tool) for tool in (await client.list_tools()).tools}

        async def call(tool: str, arguments: dict) -> Seen:
            result = await tools[tool].acall(**arguments)
            return Seen(result if isinstance(result, str) else str(result), False, isinstance(result, dict))

        schemas = {
            name: tool.format_as_litellm_function_call()["function"]["parameters"] for name, tool in tools.items()
        }
        await report(schemas, call)


asyncio.run(main())
