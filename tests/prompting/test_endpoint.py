"""A served model, against a real small server on loopback."""

import base64
import io
import json
import logging
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.prompting import served as way
from t2s_agent.prompting.endpoint import EndpointPrompter
from t2s_agent.prompting.sampling import Sampling

KEY = "sk-do-not-tell-4711"
USED = {"completion_tokens": 42, "prompt_tokens": 1170}  # 900 of Think2Seg-RS's square, the rest words
RAW = (
    "<think>one</think>\n<answer>```json"
    '[{"bbox_2d": [84, 84, 420, 840], "positive_points": [[100, 100], [200, 200]]}]```</answer>'
)


def completion(text=RAW, **choice):
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}
    return json.dumps({"choices": [choice], "usage": USED}).encode()


@dataclass
class Served:
    """The server's script (status, body, headers a request; the last one for all further) and what it was asked."""

    url: str = ""
    script: list = field(default_factory=lambda: [(200, completion(), {})])
    requests: list = field(default_factory=list)
    keys: list = field(default_factory=list)


@pytest.fixture
def served():
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            state.keys.append(self.headers.get("authorization"))
            state.requests.append((self.path, json.loads(body)))
            status, content, headers = state.script[min(len(state.requests), len(state.script)) - 1]
            if status == 0:  # hang up
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ask(served, view_of, monkeypatch):
    """Asks the server one question about a View of 1680 x 420 px; waits between tries are noted, not waited."""
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setenv("T2S_API_KEY", KEY)

    def answer(model="think2seg-rs", **options):
        prompter = EndpointPrompter(served.url, model, **options)
        try:
            return prompter.answer([view_of(1680, 420)], ["the long ship"])[0]
        finally:
            prompter.close()

    answer.waits = waits  # type: ignore[attr-defined]  # functions hold what they are given
    return answer


def sent(served, number=0):
    messages = served.requests[number][1]["messages"]
    image, text = messages[-1]["content"]
    picture = Image.open(io.BytesIO(base64.b64decode(image["image_url"]["url"].partition(",")[2])))
    return messages, picture, text["text"]


def test_think2seg_gets_its_square_and_its_prompt_and_answers_in_view_pixels(served, ask):
    answer = ask()
    assert answer.status == "found"
    assert answer.instances[0].box == pytest.approx((168, 42, 840, 420))
    assert answer.thinking == "one"
    assert answer.tokens == 42
    messages, picture, text = sent(served)
    assert served.requests[0][0] == "/v1/chat/completions"
    assert messages[0]["role"] == "system"
    assert picture.size == (840, 840)
    assert text.startswith('Please find "the long ship"')
    assert text.endswith("```</answer>")


def test_other_models_are_told_their_frame(served, ask):
    ask(model="qwen3-vl-8b")
    assert sent(served)[2].endswith("Coordinates run from 0 to 1000 along both axes, x right, y down.")
    ask(model="some-model")
    picture, text = sent(served, 1)[1:]
    assert f"The image is {picture.width} x {picture.height} pixels" in text
    assert picture.width % 28 == picture.height % 28 == 0
    assert 28 * 28 * 1024 <= picture.width * picture.height <= 28 * 28 * 1280


def test_a_stated_frame_goes_before_the_models_name(ask):
    assert ask(model="qwen3-vl", frame="square").instances[0].box == pytest.approx((168, 42, 840, 420))
    assert ask(model="other", frame="relative").instances[0].box == pytest.approx(
        (84 * 1.68, 84 * 0.42, 420 * 1.68, 840 * 0.42)
    )


def test_several_views_come_back_in_order(served, view_of, monkeypatch):
    monkeypatch.delenv("T2S_API_KEY", raising=False)
    prompter = EndpointPrompter(served.url, "qwen3-vl")
    answers = prompter.answer([view_of(1000, 1000), view_of(500, 500), view_of(100, 100)], ["a", "b", "c"])
    prompter.close()
    assert [a.instances[0].box[3] for a in answers] == [840, 420, 84]
    assert served.keys == [None] * 3


def test_free_words(served, view_of):
    served.script = [(200, completion(" A harbour. "), {})]
    prompter = EndpointPrompter(served.url, "m")
    assert prompter.tell(view_of(50, 50), "What is this?") == "A harbour."
    prompter.close()


def test_an_answer_at_the_limit_says_that_it_was_cut(served, ask):
    served.script = [(200, completion(RAW[:-30], finish_reason="length"), {})]
    assert ask().warnings[0] == "the answer was cut off after 42 tokens"


def test_thinking_that_a_server_took_apart_is_put_back(served, ask):
    message = {"content": RAW.partition("</think>")[2], "reasoning_content": "two steps"}
    served.script = [(200, completion(message=message), {})]
    assert ask().thinking == "two steps"


def test_busy_servers_are_tried_again_with_growing_waits_and_their_own_wish(served, ask):
    served.script = [(503, b"", {}), (0, b"", {}), (429, b"", {"retry-after": "7"}), (200, completion(), {})]
    assert ask(retries=3).status == "found"
    assert len(served.requests) == 4
    first, second, third = ask.waits
    assert 0.5 <= first <= 1 <= second <= 2
    assert third == 7


def test_a_wait_that_a_server_wishes_is_bounded(served, ask):
    served.script = [(429, b"", {"retry-after": "86400"}), (200, completion(), {})]
    ask()
    assert ask.waits == [way.LONGEST_WAIT_S]


def test_tries_are_counted_and_end(served, ask):
    served.script = [(500, b"no", {})]
    with pytest.raises(T2SError) as caught:
        ask(retries=2)
    assert caught.value.code == "endpoint_failed"
    assert "status 500, tried 3 times" in caught.value.what
    assert len(served.requests) == 3


@pytest.mark.parametrize(
    ("status", "way_out"), [(401, "T2S_API_KEY"), (404, "/v1"), (400, "takes images"), (302, "Check")]
)
def test_what_another_try_cannot_mend_is_not_tried_again(served, ask, status, way_out):
    served.script = [(status, b"{}", {"location": "http://127.0.0.1:9/elsewhere"} if status == 302 else {})]
    with pytest.raises(T2SError) as caught:
        ask()
    assert way_out in caught.value.fix
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'"x"',
        b"\xff",
        b"[" * 100_000,
        completion(None),
    ],
)
def test_a_body_that_is_no_completion_is_endpoint_failed(served, ask, body):
    served.script = [(200, body, {})]
    with pytest.raises(T2SError) as caught:
        ask()
    assert caught.value.code == "endpoint_failed"


def test_a_flood_is_not_read_to_its_end(served, ask, monkeypatch):
    monkeypatch.setattr(way, "MOST_BYTES", 10_000)
    served.script = [(200, b" " * 1_000_000, {})]
    with pytest.raises(T2SError, match="more than 10000 bytes"):
        ask()


def test_a_server_that_is_not_there_is_named_with_the_way_out(view_of, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    prompter = EndpointPrompter("http://127.0.0.1:9/v1", "m", retries=1)
    with pytest.raises(T2SError) as caught:
        prompter.answer([view_of(30, 30)], ["q"])
    prompter.close()
    assert "m at 127.0.0.1" in caught.value.what
    assert "ConnectError" in caught.value.what


def test_a_server_that_never_answers_is_given_up(view_of, monkeypatch):
    import socket

    monkeypatch.setattr("time.sleep", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        prompter = EndpointPrompter(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", "m", timeout_s=0.2, retries=0)
        with pytest.raises(T2SError, match="ReadTimeout"):
            prompter.answer([view_of(30, 30)], ["q"])
        prompter.close()


def test_the_key_is_sent_and_told_to_nobody_else(served, ask, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    ask()
    told = [caplog.text, repr(vars(EndpointPrompter(served.url, "m"))), repr(EndpointPrompter(served.url, "m"))]
    for status in (200, 401, 500):
        served.script = [(status, json.dumps({"error": f"wrong key {KEY}"}).encode(), {})]
        with pytest.raises(T2SError) as caught:
            ask(retries=1)
        error = caught.value
        told += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
    assert served.keys[0] == f"Bearer {KEY}"
    assert KEY not in " ".join([*told, caplog.text, *capsys.readouterr()])


def test_a_key_with_a_line_break_or_accents_is_refused_without_being_told(ask, monkeypatch):
    for key in ("sk-1\nhost: evil", "sk-é"):
        monkeypatch.setenv("T2S_API_KEY", key)
        with pytest.raises(T2SError) as caught:
            ask()
        assert caught.value.code == "argument_invalid"
        assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "host/v1", "http://me:secret@host/v1", "https://h/v1?key=secret", "http://host:port/v1", ""],
)
def test_a_url_that_is_none_or_carries_a_secret_is_refused(url):
    with pytest.raises(T2SError) as caught:
        EndpointPrompter(url, "m")
    assert caught.value.code == "argument_invalid"
    assert "secret" not in str(caught.value)


def test_several_samples_are_asked_for_with_seeds_of_their_own_and_scored_by_agreement(served, ask):
    none = RAW.partition("[")[0] + "[]```</answer>"
    served.script = [(200, completion(), {}), (200, completion(), {}), (200, completion(none), {})]
    answer = ask(sampling=Sampling(3, 0.7, 5))
    bodies = [body for _, body in served.requests]
    assert sorted(body["seed"] for body in bodies) == [5, 6, 7]
    assert {body["temperature"] for body in bodies} == {0.7}
    assert answer.instances[0].score == 0.5  # one of the two others drew the same box
    assert answer.tokens == 3 * 42
    assert answer.warnings == ("2 of 3 samples found a target",)


def test_one_sample_is_asked_for_without_chance(served, ask):
    ask()
    body = served.requests[0][1]
    assert (body["temperature"], "seed" in body) == (0, False)
