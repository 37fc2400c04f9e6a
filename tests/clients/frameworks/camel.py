# /// script
# dependencies = ["camel-ai==0.2.90", "mcp<2"]
# ///
"""CAMEL's tools, called as its ChatAgent does: python -m tests.clients.frameworks.camel URL."""

import asyncio
import sys

from camel.utils.mcp_client import MCPClient

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with MCPClient({"url": sys.argv[1]}) as client:
        tools = {tool.get_function_name(): tool for tool in client.get_tools()}

        async def call(tool: str, arguments: dict) -> Seen:
            return Seen(str(await tools[tool].func.async_call(**arguments)))

        schemas = {name: tool.get_openai_tool_schema()["function"]["parameters"] for name, tool in tools.items()}
        await report(schemas, call)


asyncio.run(main())
