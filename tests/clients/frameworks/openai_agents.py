# /// script
# dependencies = ["openai-agents==0.24.0"]
# ///
"""OpenAI's agents SDK, with strict schemas: python -m tests.clients.frameworks.openai_agents URL."""

import asyncio
import json
import sys

from agents import Agent, RunContextWrapper, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp, MCPUtil
from agents.tool_context import ToolContext

from tests.clients.adapter import Seen, report


async def main() -> None:
    set_tracing_disabled(True)
    async with MCPServerStreamableHttp(params={"url": sys.argv[1]}) as server:
        agent = Agent("tries", mcp_servers=[server])
        listed = await MCPUtil.get_function_tools(server, True, RunContextWrapper(None), agent)
        tools = {tool.name: tool for tool in listed}

        async def call(tool: str, arguments: dict) -> Seen:
            text = json.dumps(arguments)
            context = ToolContext(None, tool_name=tool, tool_call_id="1", tool_arguments=text)
            output = await tools[tool].on_invoke_tool(context, text)
            if isinstance(output, str):
                return Seen(output)
            parts = output if isinstance(output, list) else [output]
            texts = [part["text"] for part in parts if part["type"] == "text"]
            return Seen(" ".join(texts), any(part["type"] == "image" for part in parts))

        await report({name: tool.params_json_schema for name, tool in tools.items()}, call)


asyncio.run(main())
