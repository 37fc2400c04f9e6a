"""The server over HTTP, on loopback: both eras, credentials apart, and a stop that does not linger."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import anyio
import httpx
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from served.data import HeldModels, JobEvents, happened, settings_in

from t2s_agent.errors import T2SError
from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app, config_of

TANKS = {"image": "harbour.tif", "query": "tanks"}
ANN, BOB = "a-secret-of-ann-123", "a-secret-of-bob-456"


class Running(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config):
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.listens.set()


@contextlib.contextmanager
def served(server, settings):
    running = Running(uvicorn.Config(build_app(server, settings), port=0, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    assert running.listens.wait(30)
    try:
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        running.should_exit = True
        thread.join()


@pytest.fixture
def two(place):
    """A server for two credentials, and a client for each."""
    (place / "tokens").write_text(f"ann {ANN}\nbob {BOB}\n", encoding="utf-8")
    settings = settings_in(place, tokens=place / "tokens")
    with served(build_server(settings), settings) as url:
        yield url


@contextlib.asynccontextmanager
async def signed_in(url, token, mode="auto"):
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


def facts(result):
    assert not result.is_error, result.content[0].text
    return json.loads(result.content[0].text)


def test_tools_are_listed_and_called_in_both_eras(server, settings, call, ask, era):
    with served(server, settings) as url:
        assert len(ask(url, lambda client: client.list_tools(), era).tools) == 3
        assert facts(call(url, "reason_segment", era, **TANKS))["total"] == 2


def test_results_of_one_credential_are_as_if_they_were_not_for_another(two, era):
    async def main():
        async with signed_in(two, ANN, era) as ann, signed_in(two, BOB, era) as bob:
            id_ = facts(await ann.call_tool("reason_segment", TANKS))["result_id"]
            assert facts(await ann.call_tool("describe_region", {"result_id": id_}))["measured"]["count"] == 2
            for tool in ("describe_region", "refine_mask"):
                told = await bob.call_tool(tool, {"result_id": id_})
                assert told.is_error
                assert told.content[0].text.startswith("result_unknown")
            with pytest.raises(Exception, match="result_unknown"):
                await bob.read_resource(f"t2s://results/{id_}/mask.tif")
            assert id_ in {resource.name for resource in (await ann.list_resources()).resources}
            assert id_ not in {resource.name for resource in (await bob.list_resources()).resources}
            made = facts(await bob.call_tool("reason_segment", TANKS))["result_id"]
            other = await bob.call_tool("refine_mask", {"result_id": made, "combine_with": id_, "within_m": 5})
            assert other.content[0].text.startswith("result_unknown")

    anyio.run(main)


def test_spaces_around_a_headers_value_are_no_part_of_it_whatever_is_installed():
    async def echo(scope, receive, send):
        if scope["type"] == "http":
            body = dict(scope["headers"])[b"mcp-name"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"[" + body + b"]"})

    config = config_of(echo)
    config.port = 0
    running = Running(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    assert running.listens.wait(30)
    with socket.create_connection(running.servers[0].sockets[0].getsockname()) as asked:
        asked.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nMcp-Name: \t reason_segment \t \r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: asked.recv(4096), b""))
    running.should_exit = True
    thread.join()
    assert b"[reason_segment]" in answer
    assert config.http == "h11"  # httptools, where it is installed, keeps the spaces that follow


def test_the_page_shows_each_credential_its_own(two):
    async def main():
        async with signed_in(two, ANN) as ann:
            return facts(await ann.call_tool("reason_segment", TANKS))["result_id"]

    id_ = anyio.run(main)
    base = two.removesuffix("/mcp")
    ann, bob = ({"Authorization": f"Bearer {token}"} for token in (ANN, BOB))
    assert httpx.get(f"{base}/").status_code == 200
    assert httpx.get(f"{base}/api/results").status_code == 401
    assert id_ in httpx.get(f"{base}/api/results", headers=ann).text
    assert id_ not in httpx.get(f"{base}/api/results", headers=bob).text
    assert httpx.get(f"{base}/api/results/{id_}", headers=bob).status_code == 404


def test_a_session_belongs_to_the_credential_that_opened_it(two):
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    accept = {"Accept": "application/json, text/event-stream"}
    opened = httpx.post(two, json=hello, headers=accept | {"Authorization": f"Bearer {ANN}"})
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    as_bob = httpx.post(two, json=ping, headers=accept | session | {"Authorization": f"Bearer {BOB}"})
    as_ann = httpx.post(two, json=ping, headers=accept | session | {"Authorization": f"Bearer {ANN}"})
    assert (as_bob.status_code, as_ann.status_code) == (404, 200)


def test_one_credentials_queue_does_not_hold_up_another(place):
    (place / "tokens").write_text(f"ann {ANN}\nbob {BOB}\n", encoding="utf-8")
    settings = settings_in(place, tokens=place / "tokens")
    models = HeldModels(settings)
    server = build_server(settings, models=models)
    events = JobEvents(server.service.jobs)

    async def main(url):
        async with signed_in(url, ANN) as ann, signed_in(url, BOB) as bob, anyio.create_task_group() as group:
            group.start_soon(ann.call_tool, "reason_segment", TANKS)
            await happened(models.entered)
            for least in (1, 2, 3):
                group.start_soon(ann.call_tool, "reason_segment", {**TANKS, "query": "nothing", "min_area_m2": least})
            await happened(events.joined, times=4)  # one is at work, three wait
            group.start_soon(bob.call_tool, "reason_segment", {**TANKS, "query": "quay"})
            await happened(events.joined)
            models.gate.set()

    with served(server, settings) as url:
        anyio.run(main, url)
    assert models.asked == ["tanks", "nothing", "quay", "nothing", "nothing"]


def test_a_cancelled_call_stops_over_http_too(place, era):
    settings = settings_in(place)
    models = HeldModels(settings)
    server = build_server(settings, models=models)
    events = JobEvents(server.service.jobs)

    async def main(url):
        async with Client(url, mode=era) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "reason_segment", TANKS)
                await happened(models.entered)
                group.cancel_scope.cancel()
            await happened(events.left)
            models.gate.set()
            await client.call_tool("describe_region", {})

    with served(server, settings) as url:
        anyio.run(main, url)
    assert server.service.engine("local").store.listed() == ([], [])


def test_beyond_loopback_tokens_are_demanded(place, server):
    with pytest.raises(T2SError, match="no tokens"):
        build_app(server, settings_in(place, host="0.0.0.0"))
    (place / "tokens").write_text(f"ann {ANN}\n", encoding="utf-8")
    build_app(server, settings_in(place, host="0.0.0.0", tokens=place / "tokens"))


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_takes_less_than_three_seconds_also_in_the_middle_of_a_call(place, wanted):
    program = (
        "import sys\nfrom pathlib import Path\nfrom served.data import settings_in, HeldModels\n"
        "from t2s_agent.server.build import build_server\nfrom t2s_agent.server.http import serve_http\n"
        "settings = settings_in(Path(sys.argv[1]), port=0)\n"
        "serve_http(build_server(settings, models=HeldModels(settings)), settings)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(place)],
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": "tests/data", "PATH": "/usr/bin:/bin", "HOME": str(place)},
    )
    url = process.stderr.readline().split()[-1]

    async def main():
        async with Client(url) as client, anyio.create_task_group() as group:
            steps = anyio.Event()

            async def progress(done, total, message):
                if message.startswith("asking"):
                    steps.set()

            async def call():
                with contextlib.suppress(Exception):  # its server goes away
                    await client.call_tool("reason_segment", TANKS, progress_callback=progress)

            group.start_soon(call)
            await steps.wait()
            began = time.perf_counter()
            process.send_signal(wanted)
            await anyio.to_thread.run_sync(process.wait)
            group.cancel_scope.cancel()
            return time.perf_counter() - began

    assert anyio.run(main) < 3
    assert process.returncode == 0
    process.stderr.close()
    assert not list((place / "store").glob(".part-*"))
