# /// script
# dependencies = ["pydantic-ai-slim[mcp]==2.68.0"]
# ///
"""pydantic-ai's toolset in an Agent; its model is a function: python -m tests.clients.frameworks.pydantic_ai URL."""

import asyncio
import json
import sys

from pydantic_ai import Agent, BinaryContent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from tests.clients.adapter import Seen, report


async def main() -> None:
    schemas: dict = {}
    async with MCPToolset(sys.argv[1]) as toolset:

        async def call(tool: str, arguments: dict) -> Seen:
            seen: list[Seen] = []

            def model(messages, info) -> ModelResponse:
                schemas.update({each.name: each.parameters_json_schema for each in info.function_tools})
                parts = [part for message in messages[1:] for part in message.parts]
                back = [part for part in parts if isinstance(part, ToolReturnPart)]
                if not back:
                    return ModelResponse(parts=[ToolCallPart(tool, arguments)])
                seen.append(_seen(back[-1], parts))
                return ModelResponse(parts=[TextPart("done")])

            await Agent(FunctionModel(model), toolsets=[toolset]).run("go")
            return seen[-1]

        await call("describe_region", {})
        await report(schemas, call)


def _seen(back, parts: list) -> Seen:
    failed = "" if back.outcome == "success" else f"outcome {back.outcome}"
    items = back.content if isinstance(back.content, list) else [back.content]
    texts = [
        each if isinstance(each, str) else json.dumps(each) for each in items if not isinstance(each, BinaryContent)
    ]
    picture = "BinaryContent" in repr(parts) or "BinaryImage" in repr(parts)
    return Seen(" ".join(texts), picture, any(isinstance(each, dict) for each in items), failed)


asyncio.run(main())
