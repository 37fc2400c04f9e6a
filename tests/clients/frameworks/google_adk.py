# /// script
# dependencies = ["google-adk==2.13.0", "mcp==2.3.0"]
# ///
"""Google's agent development kit: python -m tests.clients.frameworks.google_adk URL."""

import asyncio
import json
import sys
from unittest.mock import MagicMock

from google.adk.tools.mcp_tool.mcp_session_manager import StreamableHTTPConnectionParams
from google.adk.tools.mcp_tool.mcp_toolset import McpToolset

from tests.clients.adapter import Seen, report


async def main() -> None:
    toolset = McpToolset(connection_params=StreamableHTTPConnectionParams(url=sys.argv[1]))
    tools = {tool.name: tool for tool in await toolset.get_tools()}

    async def call(tool: str, arguments: dict) -> Seen:
        context = MagicMock()
        context.tool_confirmation, context.function_call_id = None, "1"
        result = await tools[tool].run_async(args=arguments, tool_context=context)
        if not isinstance(result, dict):
            return Seen(str(result))
        failed = "field isError" if result.get("isError") or "error" in result else ""
        structured = bool(result.get("structuredContent") or result.get("structured_content"))
        return Seen(json.dumps(result, default=str), False, structured, failed)

    schemas = {}
    for name, tool in tools.items():
        declared = tool._get_declaration()
        found = declared.parameters_json_schema or declared.parameters.model_dump(mode="json", exclude_none=True)
        schemas[name] = found
    await report(schemas, call)
    await toolset.close()


asyncio.run(main())
