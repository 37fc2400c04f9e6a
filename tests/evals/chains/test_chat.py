"""Both protocols against a server on loopback that says what it is told to say."""

import pytest
from chat_server.data import chat_server

from evals.chains.chat import Call, Endpoint, EndpointFailed, Result, ToolSpec

TOOL = ToolSpec("look", "Shows a part.", {"type": "object", "properties": {"left": {"type": "integer"}}})
KEY = "sk-chains-0123456789abcdef"


def openai(text="", *calls):
    asked = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in calls
    ]
    message = {"role": "assistant", "content": text, **({"tool_calls": asked} if asked else {})}
    return {"choices": [{"message": message}], "usage": {"prompt_tokens": 11, "completion_tokens": 3}}


def anthropic(text="", *calls):
    blocks = [{"type": "text", "text": text}] if text else []
    blocks += [{"type": "tool_use", "id": id_, "name": name, "input": written} for id_, name, written in calls]
    return {
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "usage": {"input_tokens": 11, "output_tokens": 3},
    }


def replies(*contents):
    left = list(contents)
    return lambda body: left.pop(0) if isinstance(left[0], tuple) else (200, left.pop(0))


def endpoint(url, api="openai", **more):
    return Endpoint(f"{url}#m-1", api, sleep=lambda _: None, **more)


def test_openai_functions_are_called_and_their_pictures_follow_as_a_user_message():
    with chat_server(replies(openai("", ("c1", "look", '{"left": 3}')), openai("done"))) as (url, seen):
        chat = endpoint(url).begin("be exact", "how many?", [TOOL], seed=5)
        turn = chat.turn()
        assert turn.calls == [Call("c1", "look", {"left": 3})]
        assert (turn.input_tokens, turn.output_tokens) == (11, 3)
        chat.give([Result(turn.calls[0], "seen", ["QUJD"])])
        assert chat.turn().text == "done"
    first, second = seen
    assert (first["model"], first["seed"], first["temperature"]) == ("m-1", 5, 0.0)
    assert first["tools"][0]["function"]["parameters"] == TOOL.parameters
    assert [each["role"] for each in second["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert second["messages"][3]["tool_call_id"] == "c1"
    assert second["messages"][4]["content"][0]["image_url"]["url"] == "data:image/jpeg;base64,QUJD"


def test_anthropic_tools_are_used_and_results_with_pictures_are_one_user_message():
    answers = replies(anthropic("Looking.", ("t1", "look", {"left": 3}), ("t2", "look", {})), anthropic("done"))
    with chat_server(answers) as (url, seen):
        chat = endpoint(url, "anthropic").begin("be exact", "how many?", [TOOL], seed=5)
        turn = chat.turn()
        assert [call.id for call in turn.calls] == ["t1", "t2"]
        chat.give([Result(turn.calls[0], "seen", ["QUJD"]), Result(turn.calls[1], "left is missing", failed=True)])
        assert chat.turn().text == "done"
    first, second = seen
    assert first["system"] == "be exact"
    assert first["tools"] == [{"name": "look", "description": TOOL.description, "input_schema": TOOL.parameters}]
    assert [each["role"] for each in second["messages"]] == ["user", "assistant", "user"]
    shown, refused = second["messages"][2]["content"]
    assert shown["tool_use_id"] == "t1"
    assert shown["content"][1]["source"] == {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}
    assert refused["is_error"] is True


@pytest.mark.parametrize(
    ("api", "variable"), [("openai", "T2S_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("openai", "MY_OWN_KEY")]
)
def test_a_key_comes_from_the_environment_and_is_in_no_error(monkeypatch, api, variable):
    monkeypatch.setenv(variable, KEY)

    def refuse(body):
        return 401, {"error": f"the key {KEY} is unknown"}

    with chat_server(refuse) as (url, _):
        held = endpoint(url, api, key_variable="MY_OWN_KEY" if variable == "MY_OWN_KEY" else "")
        with pytest.raises(EndpointFailed) as error:
            held.begin("", "?", [], 0).turn()
    assert "401" in str(error.value)
    assert "is unknown" in str(error.value)
    assert KEY not in str(error.value)
    assert KEY not in repr(held)


def test_the_key_is_sent_in_the_header_of_the_protocol(monkeypatch):
    monkeypatch.setenv("T2S_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{KEY}-a")
    assert Endpoint("http://h/v1#m")._http.headers["authorization"] == f"Bearer {KEY}"
    assert Endpoint("http://h/v1#m", "anthropic")._http.headers["x-api-key"] == f"{KEY}-a"
    assert "authorization" not in Endpoint("http://h/v1#m", "anthropic")._http.headers


def test_a_busy_endpoint_is_asked_again_and_another_status_is_not():
    waited = []
    with chat_server(replies((429, {}), (529, {}), openai("4"))) as (url, seen):
        chat = Endpoint(f"{url}#m", sleep=waited.append).begin("", "?", [], 0)
        assert chat.turn().text == "4"
    assert (len(seen), waited) == (3, [1.0, 4.0])
    with chat_server(replies((404, {}))) as (url, seen), pytest.raises(EndpointFailed, match="404"):
        endpoint(url).begin("", "?", [], 0).turn()
    assert len(seen) == 1


@pytest.mark.parametrize(
    "content", [{}, {"choices": []}, {"choices": [{"message": {"tool_calls": [{}]}}]}, [1], b"<html>"]
)
def test_what_is_no_answer_of_the_protocol_stops_the_run(content):
    for api in ("openai", "anthropic"):
        with chat_server(lambda body: (200, content)) as (url, _), pytest.raises(EndpointFailed):
            endpoint(url, api).begin("", "?", [], 0).turn()


def test_arguments_that_are_no_object_are_no_arguments():
    with chat_server(replies(openai("", ("c1", "look", "[1"), ("c2", "look", ""), ("c3", "look", "7")))) as (url, _):
        turn = endpoint(url).begin("", "?", [TOOL], 0).turn()
    assert [call.arguments for call in turn.calls] == [None, {}, None]


@pytest.mark.parametrize("address", ["http://h/v1", "ftp://h#m", "h#m", "http://user:key@h/v1#m"])
def test_an_address_without_a_model_or_with_a_key_is_refused(address):
    with pytest.raises(ValueError):
        Endpoint(address)
