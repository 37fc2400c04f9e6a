"""A stage for servers: tiny images, scripted answers, and calls without a loop in sight."""

import anyio
import pytest
from mcp import Client
from served.data import settings_in, stage

from t2s_agent.server.build import build_server

ERAS = ("auto", "legacy")  # 2026-07-28, and the handshake of 2025-11-25


@pytest.fixture
def place(tmp_path):
    stage(tmp_path)
    return tmp_path


@pytest.fixture
def settings(place):
    return settings_in(place)


@pytest.fixture
def server(settings):
    return build_server(settings)


@pytest.fixture(params=ERAS)
def era(request):
    return request.param


@pytest.fixture
def ask():
    """Calls something with a connected client, in a loop of its own."""

    def run(target, work, mode="auto"):
        async def main():
            async with Client(target, mode=mode) as client:
                return await work(client)

        return anyio.run(main)

    return run


@pytest.fixture
def call(ask):
    """One call of a tool."""

    def run(target, tool, mode="auto", **arguments):
        return ask(target, lambda client: client.call_tool(tool, arguments), mode)

    return run
