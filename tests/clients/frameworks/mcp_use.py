# /// script
# dependencies = ["mcp-use==1.7.1"]
# ///
"""mcp-use's LangChain adapter: python -m tests.clients.frameworks.mcp_use URL."""

import asyncio
import json
import sys

from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp_use import MCPClient
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter

from tests.clients.adapter import TOOLS, Seen, report


async def main() -> None:
    client = MCPClient({"mcpServers": {"t2s": {"url": sys.argv[1]}}})
    await client.create_all_sessions()
    adapter = LangChainAdapter()
    await adapter.create_all(client)
    tools = {tool.name: tool for tool in adapter.tools if tool.name in TOOLS}

    async def call(tool: str, arguments: dict) -> Seen:
        result = await tools[tool].ainvoke(arguments)
        if isinstance(result, list):
            texts = [block["text"] for block in result if block["type"] == "text"]
            return Seen(" ".join(texts), any(block["type"] == "image" for block in result))
        return Seen(result if isinstance(result, str) else json.dumps(result))

    schemas = [convert_to_openai_tool(tool)["function"] for tool in tools.values()]
    await report({each["name"]: each["parameters"] for each in schemas}, call)
    await client.close_all_sessions()


asyncio.run(main())
