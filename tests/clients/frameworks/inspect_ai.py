# /// script
# dependencies = ["inspect-ai==0.3.285", "mcp==2.3.0"]
# ///
"""Inspect's tools: python -m tests.clients.frameworks.inspect_ai URL."""

import asyncio
import sys

from inspect_ai.tool import ToolDef, mcp_server_http
from inspect_ai.tool._mcp.connection import mcp_connection

from tests.clients.adapter import Seen, report


async def main() -> None:
    server = mcp_server_http(url=sys.argv[1], name="t2s")
    async with mcp_connection([server]):
        tools = {each.name: each for each in (ToolDef(tool) for tool in await server.tools())}

        async def call(tool: str, arguments: dict) -> Seen:
            result = await tools[tool].tool(**arguments)
            parts = result if isinstance(result, list) else [result]
            texts = [getattr(part, "text", "") if not isinstance(part, str) else part for part in parts]
            return Seen(" ".join(texts), any(getattr(part, "type", "") == "image" for part in parts))

        schemas = {name: tool.parameters.model_dump(mode="json", exclude_none=True) for name, tool in tools.items()}
        await report(schemas, call)


asyncio.run(main())
