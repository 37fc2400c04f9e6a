# /// script
# dependencies = ["semantic-kernel[mcp]==1.45.0"]
# ///
"""Semantic Kernel's plugin: python -m tests.clients.frameworks.semantic_kernel URL."""

import asyncio
import sys

from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_calling_utils import kernel_function_metadata_to_function_call_format
from semantic_kernel.connectors.mcp import MCPStreamableHttpPlugin
from semantic_kernel.functions import KernelArguments

from tests.clients.adapter import Seen, report


async def main() -> None:
    async with MCPStreamableHttpPlugin(name="t2s", url=sys.argv[1], load_prompts=False) as plugin:
        kernel = Kernel()
        tools = kernel.add_plugin(plugin).functions

        async def call(tool: str, arguments: dict) -> Seen:
            result = await kernel.invoke(tools[tool], KernelArguments(**arguments))
            kinds = {type(each).__name__ for each in result.value}
            texts = [each.text for each in result.value if type(each).__name__ == "TextContent"]
            return Seen(" ".join(texts), "ImageContent" in kinds)

        schemas = {n: kernel_function_metadata_to_function_call_format(t.metadata) for n, t in tools.items()}
        await report(
            {name: each["function"]["parameters"] for name, each in schemas.items() if name in ours(tools)}, call
        )


def ours(tools) -> set[str]:
    return {name for name, tool in tools.items() if "mask" in name or "region" in name or "segment" in name}


asyncio.run(main())
