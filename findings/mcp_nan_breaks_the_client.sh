#!/bin/sh
# A tool that returns NaN succeeds at the MCP server, and its answer is an exception in the client, or a null, or no JSON.
#
# One would guess: a tool that promises `float` and returns NaN gives NaN, or an error that the model can read.
# What happens: the Python SDK checks the value against the type, where NaN is a float, and then writes it as null, against the schema
#   that it publishes itself. It answers with success. The SDK's client checks that answer and raises RuntimeError out of
#   `call_tool`, "None is not of type 'number'": no result with `is_error`, so an agent loop ends instead of telling its model. The
#   same tool declared `float | None` answers null and, in its text, NaN; without a declared type the text is no JSON.
# Versions: mcp 2.3.0. (The independent fastmcp has an open report of it.)
# Why it matters: the mean or the standard deviation of a box that has only nodata is NaN. The tool works on every image until the
#   first box lies beside the data.
# Where t2s-agent handles it: results have no NaN (t2s_agent/results/record.py); t2s_agent/server/calls.py writes with allow_nan=False.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "mcp==2.3.0"
venv/bin/python -W ignore - <<'PY'
import asyncio
import json
import sys
from importlib.metadata import version
from math import nan

from mcp import Client
from mcp.server import MCPServer
from pydantic import BaseModel

print("mcp", version("mcp"))
server = MCPServer("measures")


class Statistics(BaseModel):
    mean: float
    pixels: int


@server.tool()
def mean() -> float:
    return nan


@server.tool()
def statistics() -> Statistics:
    return Statistics(mean=nan, pixels=0)


@server.tool()
def means() -> dict[str, float]:
    return {"red": 0.25, "nir": nan}


@server.tool()
def mean_or_none() -> float | None:
    return nan


@server.tool()
def untyped():
    return {"mean": nan}


def is_json(text):
    try:
        json.loads(text, parse_constant=lambda name: int(name))  # refuses NaN, as the standard does
    except ValueError:
        return False
    return True


async def main():
    seen = {}
    async with Client(server) as client:
        for tool in ("mean", "statistics", "means", "mean_or_none", "untyped"):
            try:
                answer = await client.call_tool(tool, {})
            except RuntimeError as error:
                seen[tool] = str(error).splitlines()[0].split(": ", 1)[1]
                print(f"{tool}: the client raises RuntimeError: {str(error).splitlines()[0]}")
            else:
                text = answer.content[0].text if answer.content else ""
                seen[tool] = answer.is_error, answer.structured_content, is_json(text)
                print(f"{tool}: is_error {answer.is_error}, structured {answer.structured_content}, text {text!r}, JSON {is_json(text)}")
    return seen


seen = asyncio.run(main())
expected = dict.fromkeys(("mean", "statistics", "means"), "None is not of type 'number'")
expected |= {"mean_or_none": (False, {"result": None}, False), "untyped": (False, None, False)}
sys.exit(0 if seen == expected else "the behaviour has changed")
PY
