"""Calls that take their time: progress, cancellation, the promise of an answer, and a server that answers meanwhile."""

import json

import anyio
import pytest
from mcp import Client
from mcp_types import Implementation
from served.data import HeldModels, JobEvents, happened, settings_in

from t2s_agent.errors import T2SError
from t2s_agent.server.build import build_server
from t2s_agent.server.calls import error_result

TANKS = {"image": "harbour.tif", "query": "tanks"}


@pytest.fixture
def held(place):
    """A server whose prompter waits at a gate."""
    settings = settings_in(place)
    models = HeldModels(settings)
    server = build_server(settings, models=models)
    yield server, models
    models.gate.set()
    assert server.service.close(5)


def told(result):
    assert not result.is_error, result.content[0].text
    return json.loads(result.content[0].text)


@pytest.mark.parametrize(("name", "pictures"), [("google-adk", 0), ("huggingface_hub.MCPClient", 0), ("mcp", 1)])
def test_a_client_that_shows_models_pictures_as_text_gets_none(server, era, name, pictures):
    async def main():
        async with Client(server, mode=era, client_info=Implementation(name=name, version="1")) as client:
            return await client.call_tool("reason_segment", TANKS)

    result = anyio.run(main)
    assert told(result)["total"] == 2
    assert [content.type for content in result.content].count("image") == pictures


def test_every_step_is_told_in_words(server, ask, era):
    steps = []

    async def progress(done, total, message):
        steps.append((done, message))

    ask(server, lambda client: client.call_tool("reason_segment", TANKS, progress_callback=progress), era)
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    words = [message for _, message in steps]
    assert words[:2] == ["starting", "reading harbour.tif"]
    assert len(words) == len(set(words))
    assert any(word.startswith("asking") for word in words)
    assert any(word.startswith("drawing 2 masks") for word in words)


def test_no_step_names_a_folder_of_the_servers(server, ask, place):
    steps = []

    async def progress(done, total, message):
        steps.append(message)

    ask(server, lambda client: client.call_tool("reason_segment", TANKS, progress_callback=progress))
    assert "loading scripted" in steps
    assert str(place) not in " ".join(steps)


def test_no_error_names_a_folder_of_the_servers(place, call):
    server = build_server(settings_in(place, prompter=str(place / "no-model")))
    text = call(server, "reason_segment", **TANKS).content[0].text
    assert text.startswith("model_unavailable")
    assert "no-model" in text
    assert str(place) not in text


def test_the_server_answers_while_a_model_works(held, ask, era):
    server, models = held

    async def work(client):
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "reason_segment", TANKS)
            await happened(models.entered)
            with anyio.fail_after(5):
                assert len((await client.list_tools()).tools) == 3
                if era == "legacy":  # the newer protocol has no ping
                    await client.send_ping()
            assert not models.gate.is_set()
            models.gate.set()

    ask(server, work, era)


def test_a_cancelled_call_stops_the_work_and_leaves_nothing_behind(held, ask, era, place):
    server, models = held
    events = JobEvents(server.service.jobs)

    async def work(client):
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "reason_segment", TANKS)
            await happened(models.entered)
            group.cancel_scope.cancel()
        await happened(events.left)  # the cancellation has reached the server
        models.gate.set()
        await client.call_tool("describe_region", {})  # the one worker is free again: the cancelled work has ended

    with_timeout(ask, server, work, era)
    assert models.asked == ["tanks"]
    assert server.service.engine("local").store.listed() == ([], [])


def with_timeout(ask, server, work, era):
    async def bounded(client):
        with anyio.fail_after(20):
            await work(client)

    ask(server, bounded, era)


def test_a_clients_time_out_stops_the_work(held, ask, era):
    server, models = held
    events = JobEvents(server.service.jobs)

    async def work(client):
        with pytest.raises(Exception, match=r"(?i)timed out|timeout"):
            await client.call_tool("reason_segment", TANKS, read_timeout_seconds=0.3)
        await happened(events.left)
        models.gate.set()
        await client.call_tool("describe_region", {})

    with_timeout(ask, server, work, era)
    assert server.service.engine("local").store.listed() == ([], [])


def test_a_call_that_would_outlast_its_client_is_answered_running_and_joined_by_the_same_call(place, ask, era):
    settings = settings_in(place, answer_within_s=0.2)
    models = HeldModels(settings)
    server = build_server(settings, models=models)

    async def work(client):
        first = told(await client.call_tool("reason_segment", TANKS))
        assert first["status"] == "running"
        assert first["job"].startswith("j_")
        assert "same arguments" in first["next"]
        second = told(await client.call_tool("reason_segment", TANKS))
        assert second["job"] == first["job"]
        models.gate.set()
        third = told(await client.call_tool("reason_segment", TANKS))
        while third["status"] == "running":
            third = told(await client.call_tool("reason_segment", TANKS))
        return third

    assert ask(server, work, era)["status"] == "found"
    assert models.asked == ["tanks"]
    assert len(server.service.engine("local").store.listed().results) == 1


def test_a_client_that_asks_for_no_progress_is_told_running_before_it_gives_up(place, ask, era):
    settings = settings_in(place, answer_unwatched_within_s=0.2)
    models = HeldModels(settings)
    server = build_server(settings, models=models)

    async def progress(done, total, message):
        models.gate.set()  # a step was told: this call waits

    async def work(client):
        assert told(await client.call_tool("reason_segment", TANKS))["status"] == "running"
        answer = told(await client.call_tool("reason_segment", TANKS, progress_callback=progress))
        while (
            answer["status"] == "running"
        ):  # in one process the SDK sends no progress token: patience is short there too
            answer = told(await client.call_tool("reason_segment", TANKS, progress_callback=progress))
        return answer

    assert with_result(ask, server, work, era)["status"] == "found"
    assert models.asked == ["tanks"]


def test_once_told_running_a_time_out_of_the_client_does_not_stop_the_work(place, ask, era):
    settings = settings_in(place, answer_unwatched_within_s=0.2)
    models = HeldModels(settings)
    server = build_server(settings, models=models)

    async def work(client):
        assert told(await client.call_tool("reason_segment", TANKS))["status"] == "running"
        with pytest.raises(Exception, match=r"(?i)timed out|timeout"):  # the second call waits twice as long
            await client.call_tool("reason_segment", TANKS, read_timeout_seconds=0.25)
        models.gate.set()
        answer = told(await client.call_tool("reason_segment", TANKS))
        while answer["status"] == "running":
            answer = told(await client.call_tool("reason_segment", TANKS))
        return answer

    assert with_result(ask, server, work, era)["status"] == "found"
    assert models.asked == ["tanks"]


def with_result(ask, server, work, era):
    async def bounded(client):
        with anyio.fail_after(30):
            return await work(client)

    return ask(server, bounded, era)


def test_a_fault_is_told_without_what_only_people_have(place, call):
    server = build_server(settings_in(place))
    text = call(server, "reason_segment", image="harbour.tif", query="unreadable").content[0].text
    assert text.startswith("answer_unparsable")
    assert "--prompter" not in text


def test_two_clients_that_ask_the_same_at_once_share_the_work(held):
    server, models = held
    events = JobEvents(server.service.jobs)
    answers = []

    async def one():
        async with Client(server) as client:
            answers.append(told(await client.call_tool("reason_segment", TANKS)))

    async def main():
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(one)
                group.start_soon(one)
                await happened(events.joined, times=2)
                models.gate.set()

    anyio.run(main)
    assert answers[0] == answers[1]
    assert models.asked == ["tanks"]


def text_of(result):
    return result.content[0].text


def test_a_long_error_is_cut_in_its_middle_and_keeps_its_way_out():
    text = text_of(error_result(T2SError("image_not_found", "there is no " + "x" * 900, "Did you mean 'harbour.tif'")))
    assert len(text) <= 400
    assert text.startswith("image_not_found: there is no xxx")
    assert text.endswith("Did you mean 'harbour.tif'.")
    both = text_of(error_result(T2SError("image_not_found", "x" * 900, "y" * 900)))
    assert len(both) <= 400
    assert "yyy" in both
