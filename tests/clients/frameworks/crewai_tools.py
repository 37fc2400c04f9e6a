# /// script
# dependencies = ["crewai-tools[mcp]==1.15.30"]
# ///
"""CrewAI's adapter: python -m tests.clients.frameworks.crewai_tools URL."""

import asyncio
import sys

from crewai_tools import MCPServerAdapter

from tests.clients.adapter import Seen, report


def main() -> None:
    with MCPServerAdapter({"url": sys.argv[1], "transport": "streamable-http"}) as listed:
        tools = {tool.name: tool for tool in listed}

        async def call(tool: str, arguments: dict) -> Seen:
            return Seen(str(await asyncio.to_thread(tools[tool].run, **arguments)))

        asyncio.run(report({name: tool.args_schema.model_json_schema() for name, tool in tools.items()}, call))


main()
