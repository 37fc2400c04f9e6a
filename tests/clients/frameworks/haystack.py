# /// script
# dependencies = ["mcp-haystack==2.1.1"]
# ///
"""Haystack's toolset: python -m tests.clients.frameworks.haystack URL."""

import asyncio
import sys

from haystack_integrations.tools.mcp import MCPToolset, StreamableHttpServerInfo

from tests.clients.adapter import Seen, report


def main() -> None:
    toolset = MCPToolset(server_info=StreamableHttpServerInfo(url=sys.argv[1]), eager_connect=True)
    tools = {tool.name: tool for tool in toolset}

    async def call(tool: str, arguments: dict) -> Seen:
        result = await asyncio.to_thread(tools[tool].invoke, **arguments)
        text = result if isinstance(result, str) else str(result)
        return Seen(text, False, "structuredContent" in text or "structured_content" in text)

    asyncio.run(report({name: tool.parameters for name, tool in tools.items()}, call))
    toolset.close()


main()
