# /// script
# dependencies = ["autogen-ext[mcp]==0.7.5", "mcp<2"]
# ///
"""AutoGen's workbench: python -m tests.clients.frameworks.autogen_ext URL."""

import asyncio
import sys

from autogen_ext.tools.mcp import McpWorkbench, StreamableHttpServerParams

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with McpWorkbench(StreamableHttpServerParams(url=sys.argv[1])) as bench:

        async def call(tool: str, arguments: dict) -> Seen:
            result = await bench.call_tool(tool, arguments)
            return Seen(result.to_text(), False, False, "is_error" if result.is_error else "")

        await report({tool["name"]: tool["parameters"] for tool in await bench.list_tools()}, call)


asyncio.run(main())
