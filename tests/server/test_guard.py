"""What stands before everything over HTTP."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, Router
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from t2s_agent.server.guard import Guard, Owned, Rates
from t2s_agent.server.tokens import Tokens

SECRET = "a-secret-of-ann-123"


def behind(tokens=None, **changes):
    async def whose(request):
        return JSONResponse({"owner": request.scope.get("t2s_owner"), "bytes": len(await request.body())})

    given = {"hosts": ("maps.example.org",), "origins": (), "max_body_bytes": 100, "rate_per_minute": 0} | changes

    def route(path):
        return Route(path, whose, methods=["GET", "POST"])

    health = route("/health")
    private = Router([route("/mcp"), route("/api/results")])
    guard = Middleware(Guard, tokens=tokens, unguarded=[health], **given)
    app = Starlette(routes=[health, route("/"), Mount("/", Owned(private))], middleware=[guard])
    return TestClient(app, base_url="http://localhost:8321")


@pytest.fixture
def tokens(tmp_path):
    (tmp_path / "tokens").write_text(f"ann {SECRET}\n", encoding="utf-8")
    return Tokens(tmp_path / "tokens")


@pytest.mark.parametrize("path", ["/mcp", "/", "/api/results"])
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8321", 200),
        ("127.0.0.1", 200),
        ("[::1]:8321", 200),
        ("MAPS.example.org", 200),
        ("maps.example.org:443", 200),
        ("evil.example.org", 421),
        ("localhost.evil.example.org", 421),
        ("127.0.0.1.evil.example.org:8321", 421),
        ("", 421),
    ],
)
def test_only_names_of_ones_own_are_served(path, host, status):
    assert behind().get(path, headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8321", 200),
        ("https://maps.example.org", 200),
        ("https://app.example.net", 200),
        ("http://evil.example.org", 403),
        ("null", 403),
        ("file://localhost", 403),
        ("https://app.example.net.evil.example.org", 403),
    ],
)
def test_only_pages_of_ones_own_or_allowed_ones_may_call(origin, status):
    client = behind(origins=("https://app.example.net",))
    assert client.post("/mcp", headers={"origin": origin}).status_code == status


def test_without_tokens_the_owner_is_the_local_one():
    assert behind().get("/mcp").json()["owner"] == "local"


def test_a_token_names_the_owner(tokens):
    answer = behind(tokens).get("/mcp", headers={"authorization": f"Bearer {SECRET}"})
    assert answer.json()["owner"] == "ann"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong-secret-of-ann", f"Basic {SECRET}", SECRET])
def test_without_a_valid_token_nothing_of_the_protocol_is_served(tokens, header):
    answer = behind(tokens).post("/mcp", headers={} if header is None else {"authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_what_is_public_comes_without_an_owner(tokens):
    assert behind(tokens).get("/").json()["owner"] is None


def test_a_path_that_leads_nowhere_says_so_only_to_an_owner(tokens):
    client = behind(tokens)
    assert client.get("/nowhere").status_code == 401
    assert client.get("/nowhere", headers={"authorization": f"Bearer {SECRET}"}).status_code == 404


def test_a_websocket_is_closed(tokens):
    with pytest.raises(WebSocketDisconnect), behind(tokens).websocket_connect("/mcp"):
        pass


def test_health_answers_anybody(tokens):
    assert behind(tokens).get("/health", headers={"host": "10.0.0.7"}).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_before_it_is_read(chunked):
    body = (b"x" * 60 for _ in range(2)) if chunked else b"x" * 120
    assert behind().post("/mcp", content=body).status_code == 413
    assert behind().post("/mcp", content=b"x" * 100).json()["bytes"] == 100


def test_one_credential_over_its_rate_waits_and_others_do_not(tmp_path):
    (tmp_path / "tokens").write_text(f"ann {SECRET}\nbob {SECRET}-of-bob\n", encoding="utf-8")
    client = behind(Tokens(tmp_path / "tokens"), rate_per_minute=3)
    ann, bob = ({"authorization": f"Bearer {secret}"} for secret in (SECRET, SECRET + "-of-bob"))
    assert [client.get("/mcp", headers=ann).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/mcp", headers=bob).status_code == 200


def test_tiles_are_counted_apart_ten_times_as_many_and_only_with_a_credential(tokens):
    client = behind(tokens, rate_per_minute=1, frequent=[Route("/tiles/{z:int}", lambda _: JSONResponse({}))])
    ann = {"authorization": f"Bearer {SECRET}"}
    assert client.get("/mcp", headers=ann).status_code == 200
    assert [client.get(f"/tiles/{n}", headers=ann).status_code for n in range(11)] == [404] * 10 + [429]
    assert [client.get("/tiles/1").status_code for _ in range(2)] == [401, 429]


def test_guessing_tokens_is_slow(tokens):
    client = behind(tokens)
    codes = {client.post("/mcp", headers={"authorization": f"Bearer {n:020}"}).status_code for n in range(70)}
    assert codes == {401, 429}
    assert client.get("/mcp", headers={"authorization": f"Bearer {SECRET}"}).status_code == 200


def test_a_bucket_fills_again_with_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("t2s_agent.server.guard.time.monotonic", lambda: now[0])
    rates = Rates(60)
    assert all(rates.allow("ann") for _ in range(60))
    assert not rates.allow("ann")
    now[0] += 2.0
    assert [rates.allow("ann") for _ in range(3)] == [True, True, False]
