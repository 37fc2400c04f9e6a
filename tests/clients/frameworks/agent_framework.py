# /// script
# dependencies = ["agent-framework-core==1.23.0", "mcp==2.3.0", "tenacity"]
# ///
"""Microsoft's agent framework: python -m tests.clients.frameworks.agent_framework URL."""

import asyncio
import sys

from agent_framework import MCPStreamableHTTPTool

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with MCPStreamableHTTPTool(name="t2s", url=sys.argv[1], load_prompts=False) as server:
        tools = {tool.name: tool for tool in server.functions}

        async def call(tool: str, arguments: dict) -> Seen:
            parts = await tools[tool].invoke(arguments=arguments)
            parts = parts if isinstance(parts, list) else [parts]
            texts = [getattr(part, "text", None) or "" for part in parts]
            return Seen(" ".join(texts), any(part.type in ("data", "image") for part in parts))

        await report({name: tool.parameters() for name, tool in tools.items()}, call)


asyncio.run(main())
