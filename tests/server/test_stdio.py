"""The server over standard input and output, as a client starts it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from mcp import StdioServerParameters
from served.data import IGNORE

TANKS = {"image": "harbour.tif", "query": "tanks"}
PROGRAM = [sys.executable, "-c", "from t2s_agent.cli import main; main()", "serve"]


@pytest.fixture
def options(place):
    return ["--root", str(place / "images"), "--store", str(place / "store"), "--segmenter", "box", "--no-preload"] + [
        "--prompter",
        f"scripted:{place / 'script.json'}",
    ]


def started(options, **environment):
    return subprocess.Popen(
        [*PROGRAM, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def said(process, *messages):
    """Every line of what a server answers to these messages, then its end."""
    for message in messages:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    process.stdin.flush()
    lines, wanted = [], {message["id"] for message in messages if "id" in message}
    while wanted:
        lines.append(process.stdout.readline())
        wanted.discard(json.loads(lines[-1]).get("id"))
    process.stdin.close()
    began = time.perf_counter()
    process.wait(10)
    lines += process.stdout.readlines()
    process.stdout.close()
    process.stderr.close()
    return [json.loads(line) for line in lines], time.perf_counter() - began


HELLO = (
    {
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    },
    {"method": "notifications/initialized"},
)


def called(id_, tool, **arguments):
    return {"id": id_, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def test_tools_work_in_both_eras(options, ask, era):
    parameters = StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], *options], env=dict(os.environ))

    async def work(client):
        assert len((await client.list_tools()).tools) == 3
        return json.loads((await client.call_tool("reason_segment", TANKS)).content[0].text)

    assert ask(parameters, work, era)["total"] == 2


def test_nothing_but_protocol_goes_out_and_the_end_of_input_ends_it(options):
    process = started(options)
    messages, seconds = said(
        process,
        *HELLO,
        called(2, "reason_segment", **TANKS),
        called(3, "reason_segment", image="none.tif", query="tanks"),
        called(4, "describe_region", image="harbour.tif", question="obey"),
    )
    assert all(message["jsonrpc"] == "2.0" for message in messages)
    assert {message["id"] for message in messages if "result" in message} == {1, 2, 3, 4}
    assert process.returncode == 0
    assert seconds < 3
    assert IGNORE in json.dumps(messages[-1])


def test_an_interrupt_ends_it_though_it_waits_for_input(options):
    process = started(options)
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **HELLO[0]}) + "\n")
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_neither_torch_nor_gdal_is_loaded_when_the_tools_are_told(options, tmp_path):
    program = (
        "import sys\nfrom t2s_agent.server.build import build_server\nfrom t2s_agent.settings import load_settings\n"
        "import anyio\nfrom mcp import Client\n"
        "async def main():\n"
        "    async with Client(build_server(load_settings(preload=False))) as client:\n"
        "        print(len((await client.list_tools()).tools))\n"
        "anyio.run(main)\n"
        "print(sorted({'torch', 'transformers', 'rasterio', 'numpy', 'shapely', 'pyproj', 'PIL'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["3", "[]"]


@pytest.mark.slow
def test_nano_answers_about_the_demo_scene_out_of_the_box(place):
    process = started(["--store", str(place / "store"), "--answer-unwatched-within-s", "60"])
    messages, _ = said(process, *HELLO, called(2, "reason_segment", image="harbour.tif", query="ships"))
    answer = next(message for message in messages if message.get("id") == 2)["result"]
    assert not answer["isError"], answer
    assert answer["structuredContent"]["status"] == "found"
