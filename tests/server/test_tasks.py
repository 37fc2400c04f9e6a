"""Tasks (SEP-2663): a handle for clients that take one, over the jobs that all others join by calling again."""

from typing import Any, Literal

import anyio
import mcp_types
import pytest
from mcp import Client, MCPError
from mcp.client.extension import ClientExtension, ResultClaim, advertise
from mcp_types import CallToolResult
from pydantic import ConfigDict
from served.data import HeldModels, settings_in

from t2s_agent.server import tasks as tasks_module
from t2s_agent.server.build import build_server
from t2s_agent.server.jobs import Job
from t2s_agent.server.service import OWNER

EXTENSION = "io.modelcontextprotocol/tasks"
TANKS = {"image": "harbour.tif", "query": "tanks"}


class Created(mcp_types.Result):
    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = "task"


class Params(mcp_types.RequestParams):
    model_config = ConfigDict(extra="allow")


class Answer(mcp_types.Result):
    model_config = ConfigDict(extra="allow")


class Takes(ClientExtension):
    """A client that takes tasks; `polls` are the states it saw."""

    identifier = EXTENSION

    def __init__(self):
        self.created, self.polls = [], []
        self.opened = None  # a gate to open once a task is there

    def claims(self):
        return (ResultClaim(result_type="task", model=Created, resolve=self.resolve),)

    async def resolve(self, claimed, ctx):
        task = claimed.model_dump(by_alias=True)
        self.created.append(task)
        if self.opened:
            self.opened()
        while True:
            state = await send(ctx.session, "tasks/get", task["taskId"])
            self.polls.append(state)
            if state["status"] == "completed":
                return CallToolResult.model_validate(state["result"])
            await anyio.sleep(0.01)


async def send(session, method, task_id, **more: Any):
    request = mcp_types.Request[Params, str](method=method, params=Params.model_validate({"taskId": task_id, **more}))
    return (await session.send_request(request, Answer)).model_dump(by_alias=True, exclude_none=True)


@pytest.fixture
def held(place, monkeypatch):
    monkeypatch.setattr(tasks_module, "SOON_S", 0.05)
    monkeypatch.setattr("t2s_agent.server.calls.SOON_S", 0.05)
    settings = settings_in(place)
    models = HeldModels(settings)
    server = build_server(settings, models=models)
    yield server, models
    models.gate.set()
    assert server.service.close(5)


def run(main):
    async def bounded():
        with anyio.fail_after(30):
            return await main()

    return anyio.run(bounded)


def test_the_extension_is_declared(server, ask):
    async def declared(client):
        return client.server_capabilities.extensions

    assert EXTENSION in ask(server, declared)


def test_a_call_that_takes_long_is_a_task_whose_result_is_the_calls(held):
    server, models = held
    takes = Takes()
    takes.opened = models.gate.set

    async def main():
        async with Client(server, extensions=[takes]) as client:
            return await client.call_tool("reason_segment", TANKS)

    result = run(main)
    assert result.structured_content["total"] == 2
    assert [content.type for content in result.content] == ["text", "image"]
    (task,) = takes.created
    assert task["status"] in ("working", "completed")
    assert task["ttlMs"] > task["pollIntervalMs"] > 0
    assert len(task["taskId"]) == 32
    assert takes.polls[-1]["taskId"] == task["taskId"]


def test_an_answer_that_is_there_soon_is_no_task(server):
    takes = Takes()

    async def main():
        async with Client(server, extensions=[takes]) as client:
            return await client.call_tool("describe_region", {})

    assert run(main).structured_content["total"] == 3
    assert takes.created == []


def test_an_error_of_the_tool_is_a_completed_task(held):
    server, models = held
    takes = Takes()
    takes.opened = models.gate.set

    async def main():
        async with Client(server, extensions=[takes]) as client:
            return await client.call_tool("reason_segment", {"image": "harbour.tif", "query": "unreadable"})

    result = run(main)
    assert result.is_error
    assert result.content[0].text.startswith("answer_unparsable")


def test_a_cancelled_task_stops_the_work(held):
    server, models = held

    async def main():
        async with Client(server, extensions=[Takes()]) as client:
            created = await client.session.call_tool("reason_segment", TANKS, allow_claimed=True)
            id_ = created.model_dump(by_alias=True)["taskId"]
            assert (await send(client.session, "tasks/get", id_))["status"] == "working"
            assert (await send(client.session, "tasks/update", id_, inputResponses={})).keys() <= {
                "resultType",
                "_meta",
            }
            await send(client.session, "tasks/cancel", id_)
            state = await send(client.session, "tasks/get", id_)
            models.gate.set()
            await client.call_tool("describe_region", {})  # the one worker is free again
            return state

    assert run(main)["status"] == "cancelled"
    assert server.service.close(5)
    assert server.service.engine("local").store.listed() == ([], [])


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
def test_a_task_that_is_not_there_is_an_error_in_words(server, method):
    async def main():
        async with Client(server, extensions=[advertise(EXTENSION)]) as client:
            with pytest.raises(MCPError, match="there is no task") as caught:
                await send(client.session, method, "0" * 32, inputResponses={})
            return caught.value.error.code

    assert run(main) == -32602


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
def test_whoever_does_not_declare_the_extension_is_refused(server, method):
    async def main():
        async with Client(server) as client:
            with pytest.raises(MCPError) as caught:
                await send(client.session, method, "0" * 32, inputResponses={})
            return caught.value.error.code

    assert run(main) == -32021


def test_a_client_that_takes_no_tasks_is_answered_as_ever(held):
    server, models = held

    async def main():
        async with Client(server) as client:
            models.gate.set()
            return await client.call_tool("reason_segment", TANKS)

    assert run(main).structured_content["total"] == 2


def test_a_task_of_one_credential_is_not_there_for_another(held):
    server, _ = held
    table = next(each for each in server._extensions if each.identifier == EXTENSION).table

    async def main():
        async with Client(server, extensions=[Takes()]) as client:
            created = await client.session.call_tool("reason_segment", TANKS, allow_claimed=True)
            return created.model_dump(by_alias=True)["taskId"]

    id_ = run(main)
    assert table.of("local", id_).id == id_
    with pytest.raises(MCPError, match="there is no task"):
        table.of("somebody else", id_)


def test_tasks_are_bounded_and_those_that_ended_make_room(monkeypatch):
    monkeypatch.setattr(tasks_module, "MOST_TASKS", 2)
    jobs = [Job(f"j_{i}", str(i), "local", lambda _: None) for i in range(4)]
    table = tasks_module.TaskTable(jobs=None)
    first, second = table.add("local", "t", jobs[0]), table.add("local", "t", jobs[1])
    assert table.add("local", "t", jobs[2]) is None
    assert table.add("ann", "t", jobs[2]) is not None
    jobs[0].done = True
    third = table.add("local", "t", jobs[3])
    assert [table.of("local", task.id) for task in (second, third)] == [second, third]
    with pytest.raises(MCPError, match="there is no task"):
        table.of("local", first.id)
    assert OWNER.get(None) is None
