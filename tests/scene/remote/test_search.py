"""Searches of a STAC API: an API on loopback, through the guard."""

import json

import pytest

from evals.remote.serving import https_files
from t2s_agent.cli import main
from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Hosts
from t2s_agent.scene.remote.search import search_items

pytest.importorskip("pystac_client")
CONFORMS = [f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "item-search")]


def item(number):
    """A small item."""
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": f"i{number}", "geometry": None, "links": [], "collection": "c",
        "properties": {"datetime": "2024-05-01T00:00:00Z"},
        "assets": {"visual": {"href": f"https://data.example.org/{number}.tif", "type": "image/tiff"}},
    }  # fmt: skip


def stac_api(asked, further=""):
    """A server with a first page, and a search in pages of two items; `asked` collects the bodies of searches.

    `further`: an address of the second page other than its own.
    """

    def answer(handler, path):
        own = f"https://{handler.headers['Host']}"
        if path.name == "search":
            body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
            asked.append(body)
            page = int(body.get("token", 0))
            following = {
                "rel": "next",
                "method": "POST",
                "href": further or f"{own}/search",
                "body": body | {"token": page + 1},
            }
            found = {
                "type": "FeatureCollection",
                "features": [item(2 * page), item(2 * page + 1)],
                "links": [following] if page < 2 else [],
            }
        else:
            search = {"rel": "search", "method": "POST", "href": f"{own}/search", "type": "application/geo+json"}
            found = {"type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "An API", "conformsTo": CONFORMS,
                     "links": [search, {"rel": "self", "href": own}, {"rel": "root", "href": own}]}  # fmt: skip
        content = json.dumps(found).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def search(served, **options):
    hosts = options.pop("hosts", Hosts(private=(served.host,)))
    return search_items(served.url, hosts, ca_file=served.ca, **options)


def test_the_items_of_a_search_come_page_by_page(tmp_path):
    asked = []
    with https_files(tmp_path, stac_api(asked)) as served:
        found = search(served, collections=["c"], bbox=[1, 2, 3, 4], datetime="2024-05-01/2024-05-31", most=5)
    assert [each["id"] for each in found["features"]] == ["i0", "i1", "i2", "i3", "i4"]
    assert (asked[0]["collections"], asked[0]["bbox"]) == (["c"], [1, 2, 3, 4])
    assert len(asked) == 3


def test_a_host_that_is_not_allowed_gets_no_request(tmp_path):
    with https_files(tmp_path, stac_api([])) as served, pytest.raises(T2SError) as caught:
        search(served, hosts=Hosts(("example.org",)))
    assert (caught.value.code, served.requests) == ("remote_refused", [])


@pytest.mark.parametrize(
    "further",
    ["file:///etc/passwd", "/etc/passwd", "http://other.example.org/search", "https://other.example.org/search"],
)
def test_a_next_page_elsewhere_is_refused(tmp_path, further, caller):
    with https_files(tmp_path, stac_api([], further)) as served, pytest.raises(T2SError) as caught:
        search(served)
    assert caught.value.code == "remote_refused"
    assert caller.requests == []


def test_what_is_no_api_is_said(tmp_path):
    (tmp_path / "index").write_text("{}", encoding="utf-8")
    with https_files(tmp_path) as served, pytest.raises(T2SError) as caught:
        search_items(f"{served.url}/index", Hosts(private=(served.host,)), ca_file=served.ca)
    assert caught.value.code == "remote_failed"


def test_the_command_writes_an_item_collection(tmp_path, monkeypatch, capsys):
    with https_files(tmp_path, stac_api([])) as served:
        monkeypatch.setenv("T2S_REMOTE_PRIVATE_HOSTS", served.host)
        monkeypatch.setenv("T2S_REMOTE_CA_FILE", str(served.ca))
        monkeypatch.setattr(
            "sys.argv", ["t2s-agent", "items", served.url, "--most", "3", "--out", str(tmp_path / "items.json")]
        )
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    found = json.loads((tmp_path / "items.json").read_text(encoding="utf-8"))
    assert [each["id"] for each in found["features"]] == ["i0", "i1", "i2"]
    assert "3 items" in capsys.readouterr().out
