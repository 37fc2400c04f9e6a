"""fastmcp's client: python -m tests.clients.try_fastmcp [URL | COMMAND ...], in both eras."""

import asyncio
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.clients.acts import Answer, put_through


async def main() -> None:
    for mode in ("auto", "legacy"):
        seen: list[str] = []

        async def noted(done: float, total: float | None, message: str | None, seen: list[str] = seen) -> None:
            seen.append(message or "")

        async with Client(_target(), progress_handler=noted, mode=mode) as client:

            async def call(tool: str, arguments: dict, client: Client = client) -> Answer:
                result = await client.call_tool(tool, arguments, raise_on_error=False)
                return Answer(result.content[0].text, result.is_error)

            tools = [tool.name for tool in await client.list_tools()]
            await put_through(f"fastmcp {mode}", tools, call, seen)


def _target():
    if sys.argv[1].startswith("http"):
        return sys.argv[1]
    return StdioTransport(sys.argv[1], sys.argv[2:], env=dict(os.environ))


asyncio.run(main())
