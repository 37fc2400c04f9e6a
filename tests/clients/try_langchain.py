"""LangChain's adapters: python -m tests.clients.try_langchain [URL | COMMAND ...].

They stand on the SDK's 1.x client, which does not tell the server when a call is cancelled; closing the session does.
"""

import asyncio
import os
import sys

from langchain_core.messages import ToolCall
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

from tests.clients.acts import Answer, put_through


async def main() -> None:
    seen: list[str] = []

    async def noted(done, total, message, context) -> None:
        seen.append(message or "")

    callbacks = Callbacks(on_progress=noted)
    client = MultiServerMCPClient({"t2s": _target()}, callbacks=callbacks)
    async with client.session("t2s") as session:
        tools = {
            tool.name: tool for tool in await load_mcp_tools(session, callbacks=callbacks, handle_tool_errors=True)
        }

        async def call(tool: str, arguments: dict) -> Answer:
            message = await tools[tool].ainvoke(ToolCall(name=tool, args=arguments, id="1", type="tool_call"))
            content = message.content if isinstance(message.content, str) else message.content[0]["text"]
            return Answer(content, message.status == "error")

        await put_through("langchain", list(tools), call, seen, cancels=False)


def _target() -> dict:
    if sys.argv[1].startswith("http"):
        return {"transport": "http", "url": sys.argv[1]}
    return {"transport": "stdio", "command": sys.argv[1], "args": sys.argv[2:], "env": dict(os.environ)}


asyncio.run(main())
