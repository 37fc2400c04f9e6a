"""Which paths are served without an owner: those of the public routes, and nothing that is only written like one."""

import anyio
import pytest
from served.data import settings_in

from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app
from t2s_agent.server.page.routes import STATIC

SECRET = "a-secret-of-ann-123"
PUBLIC = ["/", "/health", *(f"/page/{name}" for name in STATIC)]
ODD = [
    "/mcp", "/mcp/", "//mcp", "/mcp//", "/./mcp", "/mcp/.", "/mcp/..", "/page/../mcp", "/health/../mcp", "/MCP", "/Mcp", "/mcp.",
    "/mcp ", "/mcp\x00", "/mcp;x", "/mcp?", "/mcp#", "/%6dcp", "/mcp%2f", "\\mcp", "/\\mcp", "mcp", "", "*", "http://localhost/mcp",
    "/api/results", "/api/results/", "//api/results", "/API/results", "/api", "/api/images", "/api/results/r_00000000abcd",
    "/api/results/r_00000000abcd/files/mask.tif", "/health/", "//health", "/HEALTH", "/page", "/page/", "/page/none.js",
    "/page/../api/results", "/page/page.js/../../api/results", "/index.html", "/static/page.js", "/docs", "/openapi.json",
]  # fmt: skip


@pytest.fixture
def app(place):
    (place / "tokens").write_text(f"ann {SECRET}\n", encoding="utf-8")
    settings = settings_in(place, tokens=place / "tokens")
    return build_app(build_server(settings), settings)


def asked(app, path, method="GET", root_path="", headers=(), kind="http"):
    """The status of a request whose path reaches the application exactly as it is written here."""
    said = []

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        said.append(message)

    given = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"accept", b"*/*"), *headers]
    scope = {
        "type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "root_path": root_path, "query_string": b"", "headers": given,
        "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8321), "state": {}, "subprotocols": [],
    }  # fmt: skip
    anyio.run(app, scope, receive, send)
    return said[0].get("status", said[0]["type"])


@pytest.mark.parametrize("root_path", ["", "/mcp", "/prefix", "/health"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE", "NONE"])
def test_no_odd_path_is_served_without_an_owner(app, method, root_path):
    for path in ODD:
        for whole in (path, root_path + path):
            public = whole.removeprefix(root_path) in PUBLIC or whole in PUBLIC
            if not public:
                assert asked(app, whole, method, root_path) in (401, 404), whole


def test_a_wrong_token_is_no_owner(app):
    for path in ODD:
        assert asked(app, path, headers=[(b"authorization", b"Bearer wrong-secret-of-ann")]) in (401, 404, 429), path


def test_a_websocket_is_closed_wherever_it_goes(app):
    for path in (*PUBLIC, *ODD):
        assert asked(app, path, kind="websocket", headers=[(b"authorization", f"Bearer {SECRET}".encode())]) == (
            "websocket.close"
        )


def test_public_paths_are_served_to_anybody(app):
    assert {path: asked(app, path) for path in PUBLIC} == dict.fromkeys(PUBLIC, 200)


def test_an_owner_is_served(app):
    signed_in = [(b"authorization", f"Bearer {SECRET}".encode())]
    assert asked(app, "/api/results", headers=signed_in) == 200
    assert asked(app, "/nowhere", headers=signed_in) == 404
