# /// script
# dependencies = ["strands-agents==1.62.0"]
# ///
"""Strands agents: python -m tests.clients.frameworks.strands URL."""

import asyncio
import json
import sys

from mcp.client.streamable_http import streamable_http_client
from strands.tools.mcp import MCPClient

from tests.clients.adapter import Seen, report


def main() -> None:
    with MCPClient(lambda: streamable_http_client(sys.argv[1])) as client:
        specs = {tool.tool_name: tool.tool_spec for tool in client.list_tools_sync()}

        async def call(tool: str, arguments: dict) -> Seen:
            result = await client.call_tool_async(tool_use_id="1", name=tool, arguments=arguments)
            texts = [
                each.get("text") or json.dumps(each.get("json", ""))
                for each in result["content"]
                if "image" not in each
            ]
            picture = any("image" in each for each in result["content"])
            failed = "status error" if result["status"] == "error" else ""
            return Seen(" ".join(texts), picture, bool(result.get("structuredContent")), failed)

        asyncio.run(report({name: spec["inputSchema"]["json"] for name, spec in specs.items()}, call))


main()
