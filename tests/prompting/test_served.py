"""What comes back from a server: where its words are, its errors, the key, and fields that it refuses."""

import base64
import gzip
import json
import urllib.parse

import pytest
from chat_server.data import chat_server, said
from hypothesis import assume, given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.prompting.endpoint import EndpointPrompter
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.prompting.secret import PLACEHOLDERS, Redaction

KEY = "sk-proj-AbCdEf0123456789xyzXYZ"
BOX = '[{"bbox_2d": [100,200,300,400]}]'
ANSWER = f"<answer>```json{BOX}```</answer>"
TRUE = (51.2, 102.4, 153.6, 204.8)


@pytest.fixture
def ask(view_of, monkeypatch):
    """Asks a server that answers with `reply` about a View of 512 x 512 px; gives the answer and the requests."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("T2S_API_KEY", KEY)

    def answer(reply, times=1, model="Qwen3-VL-8B", **options):
        with chat_server(reply) as (url, seen):
            prompter = EndpointPrompter(url, model, **options)
            try:
                answers = [prompter.answer([view_of(512, 512)], ["tanks"])[0] for _ in range(times)]
            finally:
                prompter.close()
        return answers[-1], seen

    return answer


def replies(*args, **message):
    return lambda body: (200, said(*args, **message))


@pytest.mark.parametrize(
    "reply",
    [
        replies(ANSWER, reasoning_content=f"Maybe <answer>{BOX.replace('100', '7')}</answer>, no."),
        replies(ANSWER, reasoning="Maybe [[1,2,3,4]]"),
        replies(None, reasoning_content="One tank. " + ANSWER),
        replies(
            "",
            reasoning="I shall write <answer>[]</answer>-like text? No. ".replace("<answer>[]</answer>", "a list")
            + ANSWER,
        ),
        replies([{"type": "text", "text": ANSWER}]),
        replies(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "[[1,2,3,4]]"}]},
                {"type": "text", "text": ANSWER},
            ]
        ),
        replies([{"type": "text", "text": ANSWER[:20]}, {"type": "text", "text": ANSWER[20:]}]),
        replies({"type": "text", "text": ANSWER}),
        replies([ANSWER]),
    ],
)
def test_the_answer_is_found_wherever_the_words_are(ask, reply):
    answer, _ = ask(reply)
    assert [i.box for i in answer.instances] == [pytest.approx(TRUE)]


def test_an_answer_in_the_field_for_the_thinking_is_said(ask):
    answer, _ = ask(replies(None, reasoning="One tank. " + ANSWER))
    assert any("field for the thinking" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    "message",
    [{"reasoning": f"Perhaps {ANSWER}, but that may be a shadow"}, {"reasoning_content": f"Perhaps {BOX} or not"}],
)
def test_a_draft_in_the_thinking_alone_is_no_answer(ask, message):
    answer, _ = ask(replies(None, **message))
    assert answer.status == "unparsable"


@pytest.mark.parametrize("content", [None, "", []])
def test_a_budget_spent_on_thinking_says_so(ask, content):
    for message in ({"reasoning": "Let me look"}, {"reasoning_content": f"Maybe {ANSWER}"}, {}):
        answer, _ = ask(replies(content, finish="length", **message))
        assert answer.status == "unparsable"
        assert "max_new_tokens" in answer.fix


def test_a_refusal_is_quoted(ask):
    with pytest.raises(T2SError, match="I cannot help with that"):
        ask(replies(None, refusal="I cannot help with that."))


@pytest.mark.parametrize(
    ("content", "quoted"),
    [
        ({"error": {"message": "context length is 4096", "type": "BadRequestError"}}, "context length is 4096"),
        ({"error": "model not loaded"}, "model not loaded"),
        ({"detail": "no such route"}, "no such route"),
        ({"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, "body.messages: Field required"),
        ({"message": "quota"}, "quota"),
        ({"error": {"message": '{"error": {"message": "inner words"}}'}}, "inner words"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        (b"plain words", "plain words"),
        (
            b"<html><head><title>x</title><style>p{}</style></head><body><h1>502 Bad&amp;Gateway</h1></body></html>",
            "502 Bad&Gateway",
        ),
        (b"a\x1b[31mred\x00 \xe2\x80\xaeword", "a [31mred word"),
    ],
)
def test_a_servers_own_words_are_quoted(ask, content, quoted):
    for status in (400, 404, 500):
        with pytest.raises(T2SError) as caught:
            ask(lambda body, status=status: (status, content), retries=0)
        assert caught.value.code == "endpoint_failed"
        assert quoted in caught.value.what


def test_a_quotation_is_bounded(ask):
    with pytest.raises(T2SError) as caught:
        ask(lambda body: (400, {"error": {"message": "x" * 5000}}))
    assert len(caught.value.what) < 300


def test_an_error_with_status_200_is_quoted(ask):
    with pytest.raises(T2SError, match="upstream is gone"):
        ask(lambda body: (200, {"error": {"message": "upstream is gone", "code": 502}}))


OPENAI = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."


def strict_server(body):
    """Refuses, one at a time, a limit under its old name, a temperature, and a system message."""
    if "max_tokens" in body:
        return 400, {"error": {"message": OPENAI, "param": "max_tokens", "code": "unsupported_parameter"}}
    if "temperature" in body:
        return 400, {"error": {"message": "Unsupported value: 'temperature' does not support 0 with this model."}}
    if any(message["role"] == "system" for message in body["messages"]):
        return 500, {"error": {"message": "System role not supported"}}
    return 200, said(ANSWER)


def test_what_a_server_refuses_is_left_out_once_remembered_and_said(ask):
    answer, seen = ask(strict_server, times=2)
    assert answer.status == "found"
    assert len(seen) == 5  # three refusals, and two answers
    last = seen[-1]
    assert last["max_completion_tokens"] == 2048
    assert not {"max_tokens", "temperature"} & set(last)
    [message] = last["messages"]
    texts = [part["text"] for part in message["content"] if part["type"] == "text"]
    assert texts[0].startswith("You are a remote sensing analysis assistant.")
    assert 'Please find "tanks"' in texts[0]
    assert sum("server" in warning for warning in answer.warnings) == 3


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            "seed",
            {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]},
        ),
        ("temperature", {"error": "unknown field temperature"}),
        ("max_tokens", {"message": "unrecognized request argument supplied: max_tokens"}),
    ],
)
def test_each_field_alone(ask, field, message):
    answer, seen = ask(lambda body: (422, message) if field in body else (200, said(ANSWER)), sampling=Sampling(2))
    assert answer.status == "found"
    assert field not in seen[-1]


def test_an_error_that_names_no_field_is_not_tried_again(ask):
    seen = []

    def reply(body):
        seen.append(body)
        return 400, {"error": {"message": "This model's maximum context length is 4096 tokens"}}

    with pytest.raises(T2SError, match="maximum context length"):
        ask(reply)
    assert len(seen) == 1


def test_a_server_that_refuses_everything_is_given_up(ask):
    with pytest.raises(T2SError, match="endpoint_failed"):
        ask(
            lambda body: (
                400,
                {"error": {"message": "max_tokens, temperature, seed and the system role are not supported"}},
            )
        )


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "identity, gzip"])
def test_a_compressed_body_is_refused_without_being_read(ask, encoding):
    with pytest.raises(T2SError, match="compressed"):
        ask(lambda body: (200, gzip.compress(json.dumps(said(ANSWER)).encode()), {"content-encoding": encoding}))


def test_identity_is_asked_for_and_taken(ask):
    answer, _ = ask(lambda body: (200, said(ANSWER), {"content-encoding": "identity"}))
    assert answer.status == "found"


SPELLINGS = [
    KEY, KEY.upper(), urllib.parse.quote(KEY, safe=""), KEY.encode().hex(), base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(f"Bearer {KEY}".encode()).decode(), KEY[:12] + "****", "****" + KEY[-9:],
]  # fmt: skip


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_key_that_comes_back_reaches_nothing(ask, spelled):
    label = "<answer>" + json.dumps([{"bbox_2d": [100, 200, 300, 400], "label": spelled}]) + "</answer>"
    answer, _ = ask(replies(label, reasoning=f"my key is {spelled}"))
    secret = spelled.replace("*", "")
    assert answer.status == "found"
    assert secret not in repr(answer)
    for reply in (
        lambda body: (401, {"error": {"message": f"bad key {spelled}"}}),
        lambda body: (500, f"<p>{spelled}</p>".encode()),
        replies(None, refusal=f"no, {spelled}"),
        lambda body: (200, {"error": {"message": spelled}}),
    ):
        with pytest.raises(T2SError) as caught:
            ask(reply, retries=0)
        shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
        assert secret not in shown


def test_a_key_in_escapes_or_in_parts_reaches_nothing(ask):
    escaped = "".join(f"\\u{ord(c):04x}" for c in KEY)
    body = json.dumps(said("X")).replace('"X"', f'"{escaped} {BOX[1:-1]}"'.replace('"bbox_2d"', '\\"bbox_2d\\"'))
    answer, _ = ask(lambda _: (200, body.encode()))
    assert KEY not in repr(answer)
    for spell in (r"\u{:04x}", r"\u{:04X}", "%{:02X}", "&#{};", "&#x{:x};", "{:c}\u200b", r"\x{:02x}"):
        spelled = "".join(spell.format(ord(c)) for c in KEY)
        answer, _ = ask(replies('[{"bbox_2d": [100, 200, 300, 400], "label": "' + spelled + '"}]'))
        assert "[key]" in answer.raw
        assert spelled not in answer.raw
        assert KEY not in repr(answer)
    half = len(KEY) // 2
    answer, _ = ask(replies([{"type": "text", "text": KEY[:half]}, {"type": "text", "text": KEY[half:] + ANSWER}]))
    assert KEY not in repr(answer)


@given(
    st.text(alphabet="abcdefghijklmnop0123456789-_", min_size=6, max_size=60),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_no_text_keeps_a_key(key, before, after):
    assume(key not in PLACEHOLDERS)
    assert key not in Redaction(key)(f"{before}{key}{after}").replace("[key]", "")


def test_placeholders_are_no_keys():
    for key in ("EMPTY", "ollama", "", "x"):
        assert Redaction(key)("an empty ollama x") == "an empty ollama x"
