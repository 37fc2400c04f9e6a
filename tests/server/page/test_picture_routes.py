"""Addresses of tiles, outlines and tables, and to whom they answer."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.geometry import shape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from evals.tiling.boxes import BoxModels, BoxPrompter
from t2s_agent.pipeline import Engine, segment
from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app
from t2s_agent.server.page.pictures import Pictures
from t2s_agent.server.page.region_index import index_of
from t2s_agent.server.page.result_view import view_json
from t2s_agent.server.page.routes import page_routes
from t2s_agent.settings import load_settings

TANKS = "Where are the storage tanks?"
WINDOW = {"window": 0, "status": "failed", "x": 64, "y": 0, "width": 128, "height": 256, "why": "no answer"}
WINDOWS = json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": WINDOW}]})


@pytest.fixture
def pictures():
    kept = Pictures()
    yield kept
    kept.close()


@pytest.fixture
def client(engine, pictures):
    """A client of two owners: the token is the owner's name."""

    def engine_of(request):
        owner = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not owner:
            raise HTTPException(401, "Sign in")
        return replace(engine, store=engine.store.for_owner(owner))

    with TestClient(Starlette(routes=page_routes(engine_of, pictures=pictures))) as client:
        client.headers["Authorization"] = "Bearer local"
        yield client


@pytest.fixture
def made(engine):
    return segment(engine, "harbour.tif", TANKS)


PARTS = ["scene/0/0/0", "mask/0/0/0", "regions?bbox=0,0,9,9&resolution=1", "rows", "at?x=1&y=1", "windows"]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_result_is_for_its_owner_only(client, engine, made, part):
    (engine.store.folder / made.id / "windows.geojson").write_text(WINDOWS)
    path = f"/api/results/{made.id}/{part}"
    assert client.get(path).status_code == 200
    for _ in range(2):  # the first may not open the door for the second
        answer = client.get(path, headers={"Authorization": "Bearer somebody"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "result_unknown")
    del client.headers["Authorization"]
    assert client.get(path).status_code == 401


def test_a_tile_is_sent_once_and_asked_about_with_the_credential_after_that(client, made):
    path = f"/api/results/{made.id}/scene/0/0/0"
    first = client.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Authorization"
    again = {"If-None-Match": first.headers["etag"]}
    answer = client.get(path, headers=again)
    assert (answer.status_code, answer.content) == (304, b"")
    assert client.get(path, headers={**again, "Authorization": "Bearer somebody"}).status_code == 404


def test_a_scene_that_changed_is_sent_again_or_refused(client, engine, harbour):
    import os
    import shutil

    copy = harbour.parent / "touched.tif"
    shutil.copyfile(harbour, copy)
    made = segment(engine, "touched.tif", TANKS)
    path = f"/api/results/{made.id}/scene/0/0/0"
    tag = {"If-None-Match": client.get(path).headers["etag"]}
    os.utime(copy, (1, 1))
    assert client.get(path, headers=tag).status_code == 200  # the same pixels
    copy.unlink()
    answer = client.get(path, headers=tag)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "image_not_found")


def test_outlines_are_asked_for_by_box_and_resolution(client, made):
    answer = client.get(f"/api/results/{made.id}/regions", params={"bbox": "0,0,640,640", "resolution": "1"})
    assert [feature["id"] for feature in answer.json()["features"]] == [1, 2, 3, 4, 5, 6, 7]
    assert answer.headers["cache-control"] == "no-store"


def test_rows_come_a_part_at_a_time(client, made):
    answer = client.get(f"/api/results/{made.id}/rows", params={"sort": "area", "down": 1, "from": 1, "limit": 3})
    areas = sorted((region.area for region in made.regions), reverse=True)
    assert answer.json()["total"] == 7
    assert [row["area"] for row in answer.json()["rows"]] == areas[1:4]


def test_the_region_at_a_point_comes_with_its_facts(client, made):
    row = client.get(f"/api/results/{made.id}/rows", params={"limit": 1}).json()["rows"][0]
    x1, y1, x2, y2 = row["box"]
    at = f"/api/results/{made.id}/at"
    assert client.get(at, params={"x": (x1 + x2) / 2, "y": (y1 + y2) / 2}).json()["row"] == row
    assert client.get(at, params={"x": 0, "y": 0}).json() == {"row": None}


def test_windows_are_shown_in_pixels_of_the_scene_where_a_result_has_them(client, engine, made, harbour):
    from PIL import Image

    assert client.get(f"/api/results/{made.id}/windows").status_code == 404
    Image.new("RGB", (2000, 1000), "grey").save(harbour.parent / "wide-windows.png")
    coarse = segment(engine, "wide-windows.png", TANKS)  # seen as 1024 x 512
    path = engine.store.folder / coarse.id / "windows.geojson"
    path.write_text(WINDOWS)
    (feature,) = client.get(f"/api/results/{coarse.id}/windows").json()["features"]
    assert feature["properties"] == {"status": "failed", "why": "no answer"}
    assert shape(feature["geometry"]).bounds == (125, 0, 375, 500)
    path.write_text("{")
    assert client.get(f"/api/results/{coarse.id}/windows").json()["error"]["code"] == "result_damaged"


def test_an_image_is_shown_before_anything_was_asked_about_it(client):
    facts = client.get("/api/image", params={"name": "harbour.tif"}).json()
    assert facts == {"width": 640, "height": 640, "levels": 2, "tile": 512}
    first = client.get("/api/image/0/0/0", params={"name": "harbour.tif"})
    assert first.headers["content-type"] == "image/png"
    again = {"If-None-Match": first.headers["etag"]}
    assert client.get("/api/image/0/0/0", params={"name": "harbour.tif"}, headers=again).status_code == 304


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/etc/passwd", "none.tif", "\x00", "a" * 3000])
def test_no_other_image_is_shown(client, name):
    for path in ("/api/image", "/api/image/0/0/0"):
        answer = client.get(path, params={"name": name})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "image_not_found")


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("scene/9/0/0", "bbox_outside"),
        ("mask/0/1/0", "bbox_outside"),
        ("scene/0/0/99999999999999", "bbox_outside"),
        ("regions", "argument_invalid"),
        ("regions?bbox=0,0,1&resolution=1", "argument_invalid"),
        ("regions?bbox=0,0,1,nan&resolution=1", "argument_invalid"),
        ("regions?bbox=0,0,1,1&resolution=0", "argument_invalid"),
        ("regions?bbox=0,0,1,1&resolution=1e9", "argument_invalid"),
        ("rows?sort=beauty", "argument_invalid"),
        ("rows?limit=501", "argument_invalid"),
        ("rows?from=-1", "argument_invalid"),
        ("at?x=inf&y=1", "argument_invalid"),
    ],
)
def test_what_cannot_be_meant_is_told(client, made, part, code):
    answer = client.get(f"/api/results/{made.id}/{part}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_too_many_tiles_at_once_are_refused_and_not_queued_for_ever(pictures):
    import anyio

    going, over = threading.Event(), threading.Event()

    def work():
        going.set()
        over.wait()

    async def ask():
        async with anyio.create_task_group() as group:
            for _ in range(4 + 128):
                group.start_soon(pictures.run, work)
            await anyio.to_thread.run_sync(going.wait)
            while pictures._limiters[0].statistics().tasks_waiting < 128:
                await anyio.lowlevel.checkpoint()
            try:
                with pytest.raises(HTTPException) as refused:
                    await pictures.run(work)
            finally:
                over.set()
        return refused.value.status_code

    assert anyio.run(ask) == 503


def test_tiles_do_not_wait_for_an_index_that_is_being_made(client, made, monkeypatch):
    begun, over = threading.Event(), threading.Event()

    def slow(result, folder):
        begun.set()
        over.wait()
        return index_of(result, folder)

    monkeypatch.setattr("t2s_agent.server.page.region_index.index_of", slow)
    path = f"/api/results/{made.id}"
    asking = [threading.Thread(target=client.get, args=(f"{path}/rows?from={n}",)) for n in range(5)]
    for thread in asking:
        thread.start()
    try:
        assert begun.wait(60)
        assert client.get(f"{path}/mask/0/0/0").status_code == 200
    finally:
        over.set()
        for thread in asking:
            thread.join()


def test_a_scene_that_was_looked_at_in_windows_is_shown_with_them(tmp_path, pictures):
    boxes = np.array([(20, 20, 30, 30), (78, 76, 95, 92), (40, 130, 330, 138)], float)  # the last over many windows
    pixels = np.random.default_rng(0).integers(1, 255, (3, 300, 400), np.uint8)
    profile = {"width": 400, "height": 300, "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    place = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    with rasterio.open(tmp_path / "scene.tif", "w", driver="GTiff", transform=place, **profile) as file:
        file.write(pixels)
    settings = load_settings(store=tmp_path / "store", segmenter="box", max_size=96, roots=(tmp_path,))
    engine = Engine.open(settings)
    engine.models = BoxModels(settings, BoxPrompter(boxes))
    record = segment(engine, "scene.tif", "things")
    with TestClient(Starlette(routes=page_routes(lambda _: engine, pictures=pictures))) as client:
        path = f"/api/results/{record.id}"
        shown = client.get(path).json()
        rows = client.get(f"{path}/rows").json()["rows"]
        windows = client.get(f"{path}/windows").json()["features"]
        tile = client.get(f"{path}/scene/0/0/0")
        mask = client.get(f"{path}/mask/0/0/0")
    assert (shown["count"], shown["windows"], shown["record"]["tiling"]["windows"]) == (3, True, len(windows))
    assert sorted(row["box"] for row in rows) == [pytest.approx(box, abs=1.1) for box in sorted(boxes.tolist())]
    assert shapely.union_all([shape(window["geometry"]) for window in windows]).bounds == (0, 0, 400, 300)
    assert tile.status_code == mask.status_code == 200


def test_on_a_server_tiles_are_counted_apart_and_indexes_are_shared_with_the_app(engine, made):
    settings = engine.settings.model_copy(update={"rate_per_minute": 3})
    server = build_server(settings, engine=engine)
    with TestClient(build_app(server, settings), base_url="http://localhost") as client:
        path = f"/api/results/{made.id}"
        parts = ["scene/0/0/0", "mask/0/0/0", "regions?bbox=0,0,9,9&resolution=1", "at?x=1&y=1"] * 3
        assert {client.get(f"{path}/{part}").status_code for part in parts} == {200}
        assert [client.get(f"{path}/rows").status_code for _ in range(4)] == [200, 200, 200, 429]
    folder = engine.store.folder / made.id
    held = server.service.indexes.of(made, folder)
    assert server.service.indexes.of(made, folder) is held
    assert json.loads(view_json(engine, made.id, server.service.indexes))["rows"][0] == held.row(0)
