"""Every setting of the server does what its description says, and has a flag and a variable."""

import inspect
import json
import socket
from pathlib import Path

import anyio
import pytest
from served.data import HeldModels, JobEvents, happened, settings_in
from starlette.testclient import TestClient

from t2s_agent.cli.serve import serve
from t2s_agent.errors import T2SError
from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app
from t2s_agent.settings import Settings, load_settings

TANKS = {"image": "harbour.tif", "query": "tanks"}
SERVER = [
    "host", "port", "tokens", "allowed_hosts", "allowed_origins", "max_body_bytes", "rate_per_minute", "workers",
    "max_waiting", "answer_within_s", "answer_unwatched_within_s", "preload", "previews", "preview_size", "structured_output", "resource_links",
    "upload_bytes", "upload_max_age_days", "basemap_url", "basemap_attribution",
]  # fmt: skip
SHARED = [
    "roots", "prompter", "segmenter", "device", "dtype", "store", "max_size", "max_pixels", "read_seconds",
    "store_max_bytes", "store_max_age_days",
]  # fmt: skip
FLAGS = {"roots": "root", "allowed_hosts": "allowed_host", "allowed_origins": "allowed_origin"}


def kinds(result):
    return [content.type for content in result.content]


@pytest.mark.parametrize("name", [*SERVER, *SHARED])
def test_a_setting_of_the_server_has_a_flag_a_variable_and_a_description(name):
    assert FLAGS.get(name, name) in inspect.signature(serve).parameters
    assert Settings.model_fields[name].description


def test_every_flag_reaches_its_setting(monkeypatch, tmp_path):
    """All at once, with values that are no defaults; `serve` is stopped where it would begin to serve."""
    from typer.testing import CliRunner

    from t2s_agent.cli.app import app

    monkeypatch.chdir(tmp_path)
    given = {
        "root": str(tmp_path), "prompter": "box-of-words", "segmenter": "box", "device": "cpu", "dtype": "float32",
        "store": str(tmp_path), "max_size": "512", "max_pixels": "99", "read_seconds": "7", "store_max_bytes": "2000000",
        "store_max_age_days": "3", "workers": "3", "max_waiting": "5", "answer_within_s": "9", "answer_unwatched_within_s": "2", "preview_size": "99",
        "resource_links": "always", "host": "::1", "port": "99", "tokens": "t", "allowed_host": "a.example.org",
        "allowed_origin": "https://a.example.org", "max_body_bytes": "5000", "rate_per_minute": "7",
        "upload_bytes": "9", "upload_max_age_days": "2", "basemap_url": "https://a.example.org/{z}/{x}/{y}.png", "basemap_attribution": "them",
    }  # fmt: skip
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    seen = []
    monkeypatch.setattr("t2s_agent.server.build.build_server", seen.append)
    monkeypatch.setattr("t2s_agent.server.stdio.serve_stdio", lambda server: None)
    done = CliRunner().invoke(app, ["serve", *flags, "--no-preload", "--no-previews", "--no-structured-output"])
    assert done.exit_code == 0, done.output
    default, (settings,) = load_settings(), seen
    for name in [*SERVER, *SHARED]:
        assert getattr(settings, name) != getattr(default, name), name


def test_a_root_that_is_no_folder_is_said_before_anything_is_served(tmp_path):
    from typer.testing import CliRunner

    from t2s_agent.cli.app import app

    done = CliRunner().invoke(app, ["serve", f"--root={tmp_path / 'nowhere'}"])
    assert isinstance(done.exception, T2SError)
    assert "nowhere is not a folder" in str(done.exception)


def test_the_documentation_names_every_setting_of_the_server():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "server.md").read_text(encoding="utf-8")
    assert [name for name in [*SERVER, *SHARED] if f"`{name}`" not in text] == []


def test_doctor_explains_every_setting(monkeypatch, tmp_path):
    from t2s_agent.cli.doctor import check_installation

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2S_WORKERS", "2")
    (tmp_path / "t2s.toml").write_text('segmenter = "box"\nprompter = "scripted:none.json"\n', encoding="utf-8")
    told = check_installation(load_settings())["settings"]
    assert told.keys() == Settings.model_fields.keys()
    assert all(each["means"] for each in told.values())
    assert (told["workers"]["value"], told["workers"]["from"]) == (2, "T2S_WORKERS")
    assert told["segmenter"]["from"] == "t2s.toml"
    assert told["port"]["from"] == "default"
    json.dumps(told)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("PORT", "9000", 9000),
        ("ANSWER_WITHIN_S", "5", 5.0),
        ("PREVIEWS", "false", False),
        ("STRUCTURED_OUTPUT", "0", False),
        ("RESOURCE_LINKS", "never", "never"),
        ("ALLOWED_HOSTS", "a.example.org,b.example.org", ("a.example.org", "b.example.org")),
        ("ALLOWED_ORIGINS", '["https://a.example.org"]', ("https://a.example.org",)),
    ],
)
def test_a_variable_sets_it(monkeypatch, tmp_path, name, value, read):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"T2S_{name}", value)
    assert getattr(load_settings(), name.lower()) == read


def test_folders_come_one_by_one_or_as_in_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2S_ROOTS", "/imagery")
    assert [str(root) for root in load_settings().roots] == ["/imagery"]
    monkeypatch.setenv("T2S_ROOTS", "/imagery:/more")
    assert [str(root) for root in load_settings().roots] == ["/imagery", "/more"]


def test_the_file_sets_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t2s.toml").write_text('resource_links = "always"\nroots = ["/imagery"]\n', encoding="utf-8")
    settings = load_settings()
    assert (settings.resource_links, len(settings.roots)) == ("always", 1)


def test_roots_are_the_only_folders(place, call):
    server = build_server(settings_in(place, roots=(place / "images" / "sub",)))
    told = json.loads(call(server, "describe_region").content[0].text)
    assert [row[0] for row in told["rows"]] == ["field.tif"]
    assert call(server, "reason_segment", **TANKS).is_error


def test_previews_can_be_off(place, call):
    assert kinds(call(build_server(settings_in(place, previews=False)), "reason_segment", **TANKS)) == ["text"]


def test_the_size_of_previews(place, call):
    import base64
    import io

    from PIL import Image

    result = call(build_server(settings_in(place, preview_size=64)), "reason_segment", **TANKS)
    assert max(Image.open(io.BytesIO(base64.b64decode(result.content[1].data))).size) == 64


def test_structured_output_can_be_off(place, ask):
    async def work(client):
        tools = (await client.list_tools()).tools
        return tools, await client.call_tool("reason_segment", TANKS)

    tools, result = ask(build_server(settings_in(place, structured_output=False)), work)
    assert all(tool.output_schema is None for tool in tools)
    assert result.structured_content is None
    assert json.loads(result.content[0].text)["total"] == 2


@pytest.mark.parametrize(
    ("wanted", "query", "links"),
    [("always", "tanks", 4), ("never", "many", 0), ("auto", "tanks", 0), ("auto", "many", 4)],
)
def test_resource_links_always_never_or_where_not_all_is_told(place, call, wanted, query, links):
    server = build_server(settings_in(place, resource_links=wanted))
    result = call(server, "reason_segment", image="harbour.tif", query=query)
    assert kinds(result).count("resource_link") == links


def test_an_answer_is_text_and_a_picture_unless_links_are_asked_for(place, call):
    result = call(build_server(settings_in(place)), "reason_segment", image="harbour.tif", query="many", max_regions=1)
    assert "next" in result.structured_content
    assert set(kinds(result)) <= {"text", "image"}


def test_workers_is_how_many_calls_are_worked_on_at_once(place, ask):
    settings = settings_in(place, workers=2)
    models = HeldModels(settings)
    server = build_server(settings, models=models)

    async def work(client):
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "reason_segment", TANKS)
            group.start_soon(client.call_tool, "reason_segment", {**TANKS, "query": "quay"})
            await happened(models.entered, times=2)  # both come to the gate before it opens
            models.gate.set()

    ask(server, work)
    assert sorted(models.asked) == ["quay", "tanks"]


def test_max_waiting_is_how_many_calls_of_one_credential_may_wait(place, ask):
    settings = settings_in(place, max_waiting=1)
    models = HeldModels(settings)
    server = build_server(settings, models=models)
    events = JobEvents(server.service.jobs)

    async def work(client):
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "reason_segment", TANKS)
            await happened(models.entered)
            group.start_soon(client.call_tool, "reason_segment", {**TANKS, "query": "quay"})
            await happened(events.joined, times=2)
            refused = await client.call_tool("reason_segment", {**TANKS, "query": "many"})
            models.gate.set()
        return refused

    assert ask(server, work).content[0].text.startswith("limit_exceeded: 1 calls of yours are waiting")


def test_preload_loads_the_models_once_the_tools_have_been_told(place, ask):
    import threading

    loaded = threading.Event()

    class Seen(HeldModels):
        def segmenter(self, name=None):
            loaded.set()
            return super().segmenter(name)

    settings = settings_in(place, preload=True)
    ask(build_server(settings, models=Seen(settings)), lambda client: client.list_tools())
    assert loaded.wait(10)


def test_without_preload_nothing_is_loaded_before_a_call(place, ask):
    server = build_server(settings_in(place))
    ask(server, lambda client: client.list_tools())
    assert server.service._warm is None


def test_limits_of_http_are_those_of_the_settings(place):
    settings = settings_in(place, max_body_bytes=2_000, rate_per_minute=2, allowed_hosts=("maps.example.org",))
    with TestClient(build_app(build_server(settings), settings), base_url="http://maps.example.org") as client:
        assert client.post("/mcp", content=b"x" * 3_000).status_code == 413
        assert client.get("/").status_code == 200
        assert client.get("/").status_code == 429


def test_allowed_origins_may_call(place):
    settings = settings_in(place, allowed_origins=("https://app.example.net",))
    with TestClient(build_app(build_server(settings), settings), base_url="http://localhost") as client:
        assert client.get("/", headers={"origin": "https://app.example.net"}).status_code == 200
        assert client.get("/", headers={"origin": "https://other.example.net"}).status_code == 403


def test_the_store_is_where_it_says(place, call):
    server = build_server(settings_in(place, store=place / "elsewhere"))
    told = json.loads(call(server, "reason_segment", **TANKS).content[0].text)
    assert (place / "elsewhere" / told["result_id"] / "record.json").is_file()


def test_the_store_drops_the_oldest_beyond_its_bytes(place, call):
    server = build_server(settings_in(place, store_max_bytes=2**20))
    first = json.loads(call(server, "reason_segment", **TANKS).content[0].text)["result_id"]
    (place / "store" / first / "preview.png").write_bytes(bytes(2**20))
    second = json.loads(call(server, "reason_segment", **TANKS).content[0].text)["result_id"]
    assert [each.id for each in server.service.engine("local").store.listed().results] == [second]


def test_host_and_port_are_what_is_bound_and_a_taken_one_is_said(place):
    from t2s_agent.server.http import _listen

    with _listen("127.0.0.1", 0) as taken:
        assert taken.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on: 40 ms an answer
        port = taken.getsockname()[1]
        with pytest.raises(T2SError, match=f"127.0.0.1 port {port} cannot be bound.*--port"):
            _listen("127.0.0.1", port)


def test_max_pixels_bounds_what_is_opened(place, call):
    server = build_server(settings_in(place, max_pixels=1_000))
    assert call(server, "reason_segment", **TANKS).content[0].text.startswith("limit_exceeded")
