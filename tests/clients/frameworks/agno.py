# /// script
# dependencies = ["agno[mcp]==3.1.10"]
# ///
"""agno's tools: python -m tests.clients.frameworks.agno URL."""

import asyncio
import sys

from agno.tools.function import FunctionCall
from agno.tools.mcp import MCPTools

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with MCPTools(transport="streamable-http", url=sys.argv[1]) as toolkit:
        tools = toolkit.functions

        async def call(tool: str, arguments: dict) -> Seen:
            made = FunctionCall(function=tools[tool], arguments=arguments)
            done = await made.aexecute()
            failed = "" if done.status == "success" else f"status {done.status}"
            result = done.result
            text = getattr(result, "content", None) or str(result or done.error)
            return Seen(text, bool(getattr(result, "images", None)), False, failed)

        await report({name: tool.parameters for name, tool in tools.items()}, call)


asyncio.run(main())
