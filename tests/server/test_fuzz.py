"""Anything at all sent to the server: it answers with a result, an error in words, or the protocol's error; never with Python's."""

import json
import re
from urllib.parse import quote

import anyio.from_thread
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from served.data import settings_in, stage

from t2s_agent.errors import CODES
from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app

FEW = settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
META = {
    PROTOCOL_VERSION_META_KEY: "2026-07-28",
    CLIENT_INFO_META_KEY: {"name": "test", "version": "1"},
    CLIENT_CAPABILITIES_META_KEY: {},
}
# What Python's own words look like, and the server's for a fault of its own.
RAW = re.compile(
    r"Traceback|File \"|\b[A-Z]\w+(Error|Exception)\b|<class|NoneType|pydantic|input_value|int\(\)|codec|internal:"
)
TOOLS = {
    "reason_segment": ("image", "query", "bbox", "max_regions", "min_area_m2", "columns", "preview"),
    "refine_mask": (
        "result_id", "instruction", "positive_points", "negative_points", "box", "keep", "drop", "combine_with", "operation",
        "within_m", "beyond_m", "min_area_m2", "max_area_m2", "min_length_m", "max_length_m", "sort_by", "descending", "first",
        "smooth_m", "columns", "max_regions", "preview",
    ),
    "describe_region": (
        "result_id", "region_id", "image", "bbox", "combine_with", "pairs_within_m", "columns", "sort_by", "descending", "first",
        "bands", "question", "detail", "first_region", "preview",
    ),
}  # fmt: skip

odd_text = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "harbour.tif",
            "tanks",
            "²",
            "٣",
            "\x00",
            "\x1b[2J",
            "\u202e",
            "\ud800",
            "../..",
            "r_",
            "r_0000",
            "[]",
            "1" * 5000,
        ]
    ),
    st.text(st.characters(exclude_categories=()), max_size=20),
)
odd_number = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([10**30, -(10**30), 10**400, 2**53 + 1, 1e308, float("inf"), float("nan"), -0.0, 1.5]),
)
odd = st.recursive(
    st.none() | st.booleans() | odd_number | odd_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
) | st.integers(17, 60).map(lambda depth: json.loads("[" * depth + "]" * depth))


@pytest.fixture(scope="module")
def post(tmp_path_factory):
    """Sends a body or a request to the application and gives status and text; the place must never be in it."""
    place = tmp_path_factory.mktemp("fuzz")
    stage(place)
    given = settings_in(place)
    app = build_app(build_server(given), given)

    async def send(method, path, **how):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **how)

    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
    ):

        def run(method, path, **how):
            answer = portal.call(lambda: send(method, path, **how))
            assert answer.status_code < 500, answer.text
            assert not RAW.search(answer.text), answer.text
            assert str(place) not in answer.text
            return answer

        yield run


def message(post, method, params, headers=()):
    """One message of the protocol; what came back, as JSON."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    named = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
        **dict(headers),
    }
    answer = json.loads(post("POST", "/mcp", content=json.dumps(body).encode(), headers=named).text)
    if "error" in answer:
        assert answer["error"]["code"] != -32603, answer  # "internal"
    return answer


@pytest.mark.parametrize("tool", TOOLS)
@FEW
@given(data=st.data())
def test_whatever_the_arguments_a_tool_answers_in_words(post, tool, data):
    names = st.sampled_from(TOOLS[tool]) | st.just("nobody")
    arguments = data.draw(st.dictionaries(names, odd, max_size=4) | odd)
    answer = message(post, "tools/call", {"name": tool, "arguments": arguments}, {"Mcp-Name": tool}.items())
    if answer.get("result", {}).get("isError"):
        code = answer["result"]["content"][0]["text"].partition(":")[0]
        assert code in CODES


@pytest.mark.parametrize("method", ["tools/list", "resources/list", "resources/templates/list", "prompts/list"])
@FEW
@given(cursor=odd | st.sampled_from(["images:²", "images:" + "9" * 5000, "images:-1", "images:0x1", "images: 1"]))
def test_whatever_the_cursor_a_list_answers(post, method, cursor):
    message(post, method, {"cursor": cursor})


@pytest.mark.parametrize("name", ["near", "count_and_measure", "none"])
@FEW
@given(arguments=st.dictionaries(st.sampled_from(["image", "what", "other", "distance_m", "x"]), odd_text) | odd)
def test_whatever_the_arguments_a_prompt_answers(post, name, arguments):
    message(post, "prompts/get", {"name": name, "arguments": arguments}, {"Mcp-Name": name}.items())


@FEW
@given(name=st.sampled_from(["image", "result_id", "name", "what"]), value=odd)
def test_whatever_is_to_be_completed_there_is_an_answer(post, name, value):
    ref = {"type": "ref/prompt", "name": "near"}
    message(post, "completion/complete", {"ref": ref, "argument": {"name": name, "value": value}})


@FEW
@given(text=odd_text, pattern=st.sampled_from(["t2s://images/{}", "t2s://results/{}/record.json", "{}"]))
def test_whatever_resource_is_read_there_is_an_answer(post, text, pattern):
    uri = pattern.format(text)
    headers = {"Mcp-Name": uri} if uri.isascii() and uri.isprintable() and uri == uri.strip() else {}
    message(post, "resources/read", {"uri": uri}, headers.items())


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25", ""])
@FEW
@given(body=odd.map(json.dumps) | st.sampled_from(["", "{", "1" * 5000, "nan", '{"id":' + "1" * 5000 + "}"]))
def test_whatever_the_body_it_is_refused_in_words(post, version, body):
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    headers |= {"MCP-Protocol-Version": version} if version else {}
    assert post("POST", "/mcp", content=body.encode(), headers=headers).status_code in (400, 404)


@FEW
@given(limit=odd_text, before=odd_text)
def test_whatever_part_of_a_list_the_page_asks_for_there_is_an_answer(post, limit, before):
    query = f"limit={quote(limit, errors='replace')}&before={quote(before, errors='replace')}"
    assert post("GET", f"/api/results?{query}").status_code in (200, 400)


@FEW
@given(
    id_=odd_text.filter(bool),
    tail=st.sampled_from(["", "/image", "/thumbnail", "/files/mask.tif", "/files/{}", "/none"]),
)
def test_whatever_result_the_page_asks_for_there_is_an_answer(post, id_, tail):
    shown = quote(id_, safe="", errors="replace")
    assert post("GET", f"/api/results/{shown}{tail.format(shown)}").status_code in (200, 400, 404)


@pytest.mark.parametrize("path", ["/api/results", "/api/results/r_00000000abcd/refine"])
@FEW
@given(
    body=st.dictionaries(st.sampled_from(["image", "query", "positive", "keep", "instruction", "x"]), odd).map(
        json.dumps
    )
    | odd.map(json.dumps)
    | st.sampled_from(["", "{", "1" * 5000, '{"keep":[' + "1" * 5000 + "]}", "\xff"])
)
def test_whatever_the_page_sends_it_is_answered_in_words(post, path, body):
    answer = post("POST", path, content=body.encode("latin-1", "replace"), headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 413)
    for line in answer.text.splitlines():
        json.loads(line)
