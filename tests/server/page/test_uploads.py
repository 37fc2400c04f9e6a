"""Images that people send to the server."""

import os
import time

import anyio
import pytest
from starlette.testclient import TestClient

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.scene.listing import images_in
from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app
from t2s_agent.server.page.uploads import folder_of, receive, safe_name, sweep, with_uploads

SECRET = "a-secret-of-ann-123"


@pytest.fixture
def open_engine(engine):
    """An Engine that takes images of up to 4 MB."""
    return Engine(engine.settings.model_copy(update={"upload_bytes": 4_000_000}), engine.models, engine.store)


def send(engine, name, data):
    async def chunks():
        for start in range(0, len(data), 50_000):
            yield data[start : start + 50_000]

    return anyio.run(receive, engine, name, chunks())


def kept(engine):
    folder = folder_of(engine)
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_an_image_that_was_sent_is_opened_and_listed_like_any_other(open_engine, harbour):
    assert send(open_engine, "Bay of Kotor.tif", harbour.read_bytes()) == "Bay of Kotor.tif"
    engine = with_uploads(open_engine)
    with engine.scene("Bay of Kotor.tif") as scene:
        assert (scene.width, scene.crs.to_epsg()) == (640, 32631)
    assert "Bay of Kotor.tif" in images_in(engine.settings.roots).names


def test_nobody_else_can_open_it(open_engine, harbour):
    name = send(open_engine, "mine.tif", harbour.read_bytes())
    path = folder_of(open_engine) / name
    other = Engine(open_engine.settings, open_engine.models, open_engine.store.for_owner("bob"))
    send(other, "his.tif", harbour.read_bytes())
    for asked in (name, str(path), f"../{path.parent.name}/{name}"):
        with pytest.raises(T2SError, match="image_not_found"):
            with_uploads(other).scene(asked)
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_name_that_a_root_has_is_not_taken(open_engine, harbour):
    names = [send(open_engine, "harbour.tif", harbour.read_bytes()) for _ in range(2)]
    assert names == ["harbour-2.tif", "harbour-3.tif"]


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/x.tif", "x.tif"),
        ("C:\\pictures\\y.PNG", "y.png"),
        (".hidden.jpg", "hidden.jpg"),
        ("a\x00b\n<c>.tif", "a_b_c_.tif"),
        ("  .tif", "image.tif"),
        ("Zürich 海 (2).webp", "Zürich 海 (2).webp"),
        ("海" * 200 + ".tif", "海" * 50 + ".tif"),
        ("\ud800.tif", "_.tif"),
    ],
)
def test_a_name_becomes_one_of_a_plain_file(given, safe):
    assert safe_name(given) == safe


@pytest.mark.parametrize("name", ["", "x", "x.exe", "x.tif.aux.xml", "x.vrt", "x.tfw", ".tif/x", "x.tif/.."])
def test_only_endings_of_images_are_taken(name):
    with pytest.raises(T2SError, match="argument_invalid"):
        safe_name(name)


@pytest.mark.parametrize("data", [b"", b"hello", b"<VRTDataset/>", b"II*\x00" + b"\x00" * 100])
def test_what_is_no_image_is_not_kept(open_engine, data):
    with pytest.raises(T2SError, match=r"image_unreadable: x\.tif"):
        send(open_engine, "x.tif", data)
    assert kept(open_engine) == []


def test_a_file_that_was_cut_off_is_not_kept(open_engine, harbour):
    with pytest.raises(T2SError, match="image_unreadable"):
        send(open_engine, "x.tif", harbour.read_bytes()[:200_000])
    assert kept(open_engine) == []


def test_more_than_is_allowed_is_not_read_to_its_end(open_engine):
    read = []

    async def chunks():
        for _ in range(1000):
            read.append(1)
            yield bytes(1_000_000)

    with pytest.raises(T2SError, match="limit_exceeded"):
        anyio.run(receive, open_engine, "x.tif", chunks())
    assert len(read) == 5
    assert kept(open_engine) == []


def test_the_oldest_makes_room_for_the_twenty_first(open_engine):
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    for number in range(22):
        send(open_engine, f"i{number}.png", out.getvalue())
        os.utime(folder_of(open_engine) / f"i{number}.png", (number + time.time() - 1000,) * 2)
    assert len(kept(open_engine)) == 20
    assert not {"i0.png", "i1.png"} & set(kept(open_engine))


def test_old_images_and_broken_uploads_are_deleted(open_engine, harbour):
    send(open_engine, "old.tif", harbour.read_bytes())
    send(open_engine, "new.tif", harbour.read_bytes())
    (folder_of(open_engine) / ".part-x").write_bytes(b"")
    for name, days in (("old.tif", 8), (".part-x", 1)):
        os.utime(folder_of(open_engine) / name, (time.time() - days * 86_400,) * 2)
    sweep(open_engine.store.folder, 7)
    assert kept(open_engine) == ["new.tif"]


def test_a_server_takes_no_images_unless_it_is_told_to(engine, harbour):
    with pytest.raises(T2SError, match="argument_invalid"):
        send(engine, "x.tif", harbour.read_bytes())
    assert kept(engine) == []


@pytest.fixture
def client(open_engine, tmp_path):
    (tmp_path / "tokens").write_text(f"ann {SECRET}\nbob {SECRET}-of-bob\n", encoding="utf-8")
    settings = open_engine.settings.model_copy(update={"tokens": tmp_path / "tokens", "max_body_bytes": 1024})
    with TestClient(
        build_app(build_server(settings, engine=open_engine), settings), base_url="http://localhost"
    ) as client:
        client.headers["Authorization"] = f"Bearer {SECRET}"
        yield client


def test_over_http_an_image_is_streamed_past_the_limit_of_other_requests(client, harbour):
    octets = {"Content-Type": "application/octet-stream"}
    sent = client.post("/api/images?name=bay.tif", content=harbour.read_bytes(), headers=octets)
    assert sent.json() == {"image": "bay.tif"}
    assert "bay.tif" in client.get("/api/images").json()["images"]
    assert client.get("/api/image", params={"name": "bay.tif"}).json()["width"] == 640
    bob = {"Authorization": f"Bearer {SECRET}-of-bob"}
    assert "bay.tif" not in client.get("/api/images", headers=bob).json()["images"]
    assert client.get("/api/image", params={"name": "bay.tif"}, headers=bob).status_code == 404
    assert client.post("/api/results", content=bytes(2000)).status_code == 413  # as before


def test_over_http_old_images_are_gone_from_the_list(client, open_engine, harbour):
    octets = {"Content-Type": "application/octet-stream"}
    client.post("/api/images?name=bay.tif", content=harbour.read_bytes(), headers=octets)
    (path,) = (open_engine.store.folder / ".uploads").glob("*/bay.tif")
    os.utime(path, (time.time() - 8 * 86_400,) * 2)
    assert "bay.tif" not in client.get("/api/images").json()["images"]
    assert not path.exists()


def test_over_http_nothing_is_taken_without_a_token_or_from_another_site(client, open_engine, harbour):
    octets = {"Content-Type": "application/octet-stream"}
    for headers, status in (
        ({**octets, "Authorization": "Bearer wrong-wrong-wrong"}, 413),  # more than an unknown caller may send
        ({**octets, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**octets, "Origin": "http://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ):
        answer = client.post("/api/images?name=bay.tif", content=harbour.read_bytes(), headers=headers)
        assert answer.status_code == status
    assert not (open_engine.store.folder / ".uploads").exists()
