"""The Python SDK's own client: python -m tests.clients.try_sdk [memory | URL | COMMAND ...], in both eras."""

import os
import sys

import anyio
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

from tests.clients.acts import Answer, put_through


async def main() -> None:
    for mode in ("auto", "legacy"):
        seen: list[str] = []

        async def noted(done: float, total: float | None, message: str | None, seen: list[str] = seen) -> None:
            seen.append(message or "")

        async with Client(_target(), mode=mode) as client:

            async def call(tool: str, arguments: dict, client: Client = client, noted=noted) -> Answer:
                result = await client.call_tool(tool, arguments, progress_callback=noted)
                block = result.content[0]
                assert isinstance(block, TextContent)
                return Answer(block.text, result.is_error)

            tools = [tool.name for tool in (await client.list_tools()).tools]
            await put_through(f"sdk {client.protocol_version}", tools, call, seen)


def _target():
    if sys.argv[1:] == ["memory"]:
        from t2s_agent.server.build import build_server
        from t2s_agent.settings import load_settings

        return build_server(load_settings())
    if sys.argv[1].startswith("http"):
        return sys.argv[1]
    return StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))


anyio.run(main)
