#!/bin/sh
# A tool that is called with a misspelled argument runs without it, and True is the number 1.
#
# One would guess: a server that publishes a JSON schema of its tools refuses arguments that are not in it, and values of another type.
# What happens: the published schema allows further properties, and the Python SDK drops them: `bbox` for `box` runs the tool on
#   everything, and the answer is no error. The schema says "integer", and "7", 7.0 and true are taken all the same (true as 1).
# Versions: mcp 2.3.0.
# Why it matters: an agent that writes `bbox` where the tool says `box` gets the count of a whole image for the count of a field,
#   and nothing in the answer says so.
# Where t2s-agent handles it: t2s_agent/server/arguments.py names unknown arguments, with near names, before a tool runs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "mcp==2.3.0"
venv/bin/python -W ignore - <<'PY'
import asyncio
import sys
from importlib.metadata import version

from mcp import Client
from mcp.server import MCPServer

print("mcp", version("mcp"))
server = MCPServer("measures")


@server.tool()
def count(image: str, box: list[float] | None = None, first: int = 0) -> str:
    return f"counted in {box or 'the whole image'}, first {first!r}"


async def main():
    async with Client(server) as client:
        schema = (await client.list_tools()).tools[0].input_schema
        print("additionalProperties in the schema:", schema.get("additionalProperties", "not named"))
        said = []
        for arguments in ({"box": [1, 2, 3, 4]}, {"bbox": [1, 2, 3, 4]}, {"first": "7"}, {"first": 7.0}, {"first": True}):
            answer = await client.call_tool("count", {"image": "a.tif", **arguments})
            said.append("error" if answer.is_error else answer.content[0].text)
            print(arguments, "->", said[-1])
    return said


said = asyncio.run(main())
whole = "counted in the whole image, first "
expected = ["counted in [1.0, 2.0, 3.0, 4.0], first 0", whole + "0", whole + "7", whole + "7", whole + "1"]
sys.exit(0 if said == expected else "the behaviour has changed")
PY
