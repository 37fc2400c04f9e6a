# /// script
# dependencies = ["llama-index-tools-mcp==0.6.0"]
# ///
"""LlamaIndex's tools: python -m tests.clients.frameworks.llama_index URL."""

import asyncio
import sys

from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

from tests.clients.adapter import Seen, report


async def main() -> None:
    listed = await McpToolSpec(client=BasicMCPClient(sys.argv[1])).to_tool_list_async()
    tools = {tool.metadata.name: tool for tool in listed}

    async def call(tool: str, arguments: dict) -> Seen:
        output = await tools[tool].acall(**arguments)
        pictures = [block for block in output.blocks if block.block_type == "image"]
        failed = "is_error" if output.is_error else ""
        return Seen(output.content, bool(pictures), "structured_content=" in output.content, failed)

    await report({name: tool.metadata.get_parameters_dict() for name, tool in tools.items()}, call)


asyncio.run(main())
