"""pydantic-ai's toolset in an Agent: python -m tests.clients.try_pydantic_ai [URL | COMMAND ...].

The agent's model is a function that asks for the call which it is told to ask for, so that what comes back has gone
through the agent's own loop: schemas, validation of arguments, errors as retries.
"""

import asyncio
import json
import os
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from tests.clients.acts import Answer, put_through


async def main() -> None:
    seen: list[str] = []

    async def noted(done: float, total: float | None, message: str | None) -> None:
        seen.append(message or "")

    async with MCPToolset(_target(), progress_handler=noted, include_instructions=True) as toolset:

        async def call(tool: str, arguments: dict) -> Answer:
            answers: list[Answer] = []

            def model(messages, info) -> ModelResponse:
                last = messages[-1].parts[-1]
                if isinstance(last, ToolReturnPart):
                    answers.append(Answer(_text(last.content), failed=last.outcome != "success"))
                else:
                    return ModelResponse(parts=[ToolCallPart(tool, arguments)])
                return ModelResponse(parts=[TextPart("done")])

            await Agent(FunctionModel(model), toolsets=[toolset]).run("go")
            return answers[-1]

        tools = [tool.name for tool in await toolset.list_tools()]
        await put_through("pydantic-ai", tools, call, seen)


def _text(content: object) -> str:
    """What the model is given: structured content where there is some, else the text."""
    first = content[0] if isinstance(content, list) else content
    return first if isinstance(first, str) else json.dumps(first)


def _target():
    if sys.argv[1].startswith("http"):
        return sys.argv[1]
    return StdioTransport(sys.argv[1], sys.argv[2:], env=dict(os.environ))


asyncio.run(main())
