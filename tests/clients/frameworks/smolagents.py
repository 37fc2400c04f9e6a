# /// script
# dependencies = ["smolagents[mcp]==1.26.0", "mcpadapt==0.1.19", "mcp<2"]
# ///
"""smolagents over mcpadapt: python -m tests.clients.frameworks.smolagents URL."""

import asyncio
import sys

from smolagents import MCPClient
from smolagents.models import get_tool_json_schema

from tests.clients.adapter import Seen, report


def main() -> None:
    with MCPClient({"url": sys.argv[1], "transport": "streamable-http"}, structured_output=False) as listed:
        tools = {tool.name: tool for tool in listed}

        async def call(tool: str, arguments: dict) -> Seen:
            result = await asyncio.to_thread(tools[tool], **arguments)
            return Seen(result if isinstance(result, str) else str(result))

        asyncio.run(
            report({name: get_tool_json_schema(tool)["function"]["parameters"] for name, tool in tools.items()}, call)
        )


main()
