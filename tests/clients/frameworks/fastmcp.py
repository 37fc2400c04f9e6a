# /// script
# dependencies = ["fastmcp==4.2.3"]
# ///
"""fastmcp's client: python -m tests.clients.frameworks.fastmcp URL."""

import asyncio
import sys

from fastmcp import Client

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with Client(sys.argv[1]) as client:

        async def call(tool: str, arguments: dict) -> Seen:
            result = await client.call_tool(tool, arguments)
            kinds = {each.type for each in result.content}
            return Seen(result.content[0].text, "image" in kinds, bool(result.structured_content))

        await report({tool.name: tool.input_schema for tool in await client.list_tools()}, call)


asyncio.run(main())
