# /// script
# dependencies = ["langchain-mcp-adapters==0.3.2"]
# ///
"""LangChain's adapters: python -m tests.clients.frameworks.langchain URL."""

import asyncio
import sys

from langchain_core.messages import ToolCall
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

from tests.clients.adapter import Seen, report


async def main() -> None:
    client = MultiServerMCPClient({"t2s": {"transport": "http", "url": sys.argv[1]}})
    async with client.session("t2s") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session, handle_tool_errors=True)}

        async def call(tool: str, arguments: dict) -> Seen:
            message = await tools[tool].ainvoke(ToolCall(name=tool, args=arguments, id="1", type="tool_call"))
            blocks = message.content_blocks
            texts = [block["text"] for block in blocks if block["type"] == "text"]
            failed = "status error" if message.status == "error" else ""
            artifact = message.artifact or {}
            return Seen(
                " ".join(texts), any(b["type"] == "image" for b in blocks), "structured_content" in artifact, failed
            )

        schemas = [convert_to_openai_tool(tool)["function"] for tool in tools.values()]
        await report({each["name"]: each["parameters"] for each in schemas}, call)


asyncio.run(main())
