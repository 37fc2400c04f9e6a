"""What the page's addresses answer, and to whom."""

import json
import re
import threading
from dataclasses import replace
from urllib.parse import urlsplit

import anyio
import pytest
from affine import Affine
from rasterio.crs import CRS
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Refinement, refine, segment
from t2s_agent.scene.georeference import Georeference
from t2s_agent.server.page.assets import static_text
from t2s_agent.server.page.result_view import lonlat_grid, relatives, result_view, to_refinement_points
from t2s_agent.server.page.routes import STATIC, page_routes, static_routes
from t2s_agent.server.page.work import WorkResponse, in_thread
from t2s_agent.settings import load_settings

TANKS = "Where are the storage tanks?"


@pytest.fixture
def client(engine):
    """A client of two owners: the token is the owner's name."""

    def engine_of(request):
        owner = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not owner:
            raise HTTPException(401, "Sign in")
        return replace(engine, store=engine.store.for_owner(owner))

    with TestClient(Starlette(routes=page_routes(engine_of, images_of=lambda _: ["harbour.tif"]))) as client:
        client.headers["Authorization"] = "Bearer local"
        yield client


def lines(response):
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_the_pages_own_files_are_public_and_may_load_nothing_from_elsewhere(client):
    del client.headers["Authorization"]
    for path in ("/", *(f"/page/{name}" for name in STATIC)):
        answer = client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
    named = [word for word in client.get("/").text.split('"') if word.startswith(("page/", "http", "//"))]
    assert sorted(named) == sorted(f"page/{name}" for name in STATIC)


@pytest.mark.parametrize(
    "path", ["results", "images", "results/r_00000000", "results/r_00000000/image", "results/r_00000000/files/mask.tif"]
)
def test_everything_about_results_asks_who_is_there(client, path):
    del client.headers["Authorization"]
    assert client.get(f"/api/{path}").status_code == 401


def test_results_are_listed_newest_first_in_pages(client, engine):
    made = [segment(engine, "harbour.tif", question).id for question in (TANKS, "helicopters", TANKS)]
    first = client.get("/api/results", params={"limit": 2}).json()
    assert [r["id"] for r in first["results"]] == [made[2], made[1]]
    assert (first["total"], first["more"]) == (3, True)
    rest = client.get("/api/results", params={"limit": 2, "before": made[1]}).json()
    assert [r["id"] for r in rest["results"]] == [made[0]]
    assert not rest["more"]


def test_a_result_of_another_owner_is_as_if_it_were_not_there(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    client.headers["Authorization"] = "Bearer somebody"
    assert client.get("/api/results").json()["results"] == []
    for path in ("", "/image", "/thumbnail", "/files/record.json", "/files/mask.tif"):
        answer = client.get(f"/api/results/{made.id}{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "result_unknown")
    refused = lines(client.post(f"/api/results/{made.id}/refine", json={"positive": [[1, 1]]}))
    assert refused[-1]["error"]["code"] == "result_unknown"


def test_a_click_means_the_ground_under_that_pixel(engine):
    made = segment(engine, "harbour.tif", TANKS)
    with engine.scene("harbour.tif") as scene:
        lon, lat = scene.georeference.to_lonlat(120.25, 400.75)  # the View is the whole scene, pixel for pixel
    assert to_refinement_points(engine, made, [(120.25, 400.75)]) == ((pytest.approx(lon[0]), pytest.approx(lat[0])),)
    with pytest.raises(T2SError, match="bbox_outside"):
        to_refinement_points(engine, made, [(640.5, 3)])


def test_without_a_ground_a_click_means_a_pixel_of_the_scene(engine, harbour):
    from PIL import Image

    Image.new("RGB", (2000, 500), "grey").save(harbour.parent / "plain.png")
    made = segment(engine, "plain.png", "helicopters")
    assert made.scene.view_size == (1024, 256)
    assert to_refinement_points(engine, made, [(1000, 125)]) == ((1000, 125),)
    assert result_view(engine, made, ())["grid"] is None


def test_the_grid_of_the_page_has_the_scenes_corners(engine):
    made = segment(engine, "harbour.tif", TANKS)
    grid = result_view(engine, made, ())["grid"]
    with engine.scene("harbour.tif") as scene:
        lon, lat = scene.georeference.to_lonlat([0, 640], [0, 640])
    assert grid[0][0] == pytest.approx([lon[0], lat[0]])
    assert grid[-1][-1] == pytest.approx([lon[1], lat[1]])


def test_a_grid_across_180_degrees_runs_on():
    place = Georeference(CRS.from_epsg(4326), Affine(0.01, 0, 179.5, 0, -0.01, -16))
    row = lonlat_grid(place, 100, 100)[0]
    assert [row[0][0], row[8][0], row[16][0]] == pytest.approx([179.5, 180.0, 180.5])


def test_points_make_a_new_result_whose_lineage_names_the_old_one(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    told = lines(client.post(f"/api/results/{made.id}/refine", json={"positive": [[320, 100]]}))
    steps = [line["progress"] for line in told[:-1]]
    assert steps[0] == "waiting for its turn"
    assert len(steps) > 1
    child = client.get(f"/api/results/{told[-1]['result']}").json()
    assert child["record"]["parents"] == [made.id]
    assert child["count"] == len(made.regions) + 1
    assert [node["id"] for node in child["lineage"]] == [made.id, told[-1]["result"]]


def test_regions_are_dropped_and_kept_by_number(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    for asked, left in (({"drop": [1, 2]}, len(made.regions) - 2), ({"keep": [3]}, 1)):
        told = lines(client.post(f"/api/results/{made.id}/refine", json=asked))
        assert len(engine.store.load(told[-1]["result"]).regions) == left


def test_a_question_is_asked_about_an_allowed_image_only(client, engine):
    made = lines(client.post("/api/results", json={"image": "harbour.tif", "query": TANKS}))[-1]["result"]
    assert engine.store.load(made).query == TANKS
    refused = lines(client.post("/api/results", json={"image": "../../etc/passwd", "query": TANKS}))[-1]
    assert refused["error"]["code"] == "image_not_found"


def test_where_no_folder_is_allowed_nothing_can_be_asked(engine, harbour):
    open_to_all = replace(engine, settings=engine.settings.model_copy(update={"roots": ()}))
    routes = page_routes(lambda _: open_to_all, images_of=lambda _: ["harbour.tif"])
    with TestClient(Starlette(routes=routes)) as client:
        assert client.get("/api/images").json() == {"images": [], "upload_bytes": 0}
        answer = client.post("/api/results", json={"image": str(harbour), "query": TANKS})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "image_not_found")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}, 415),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({}, 200),
    ],
)
def test_another_site_cannot_make_a_browser_change_anything(client, engine, headers, status):
    made = segment(engine, "harbour.tif", TANKS)
    body = json.dumps({"drop": [1]})
    for path, asked in ((f"/api/results/{made.id}/refine", body), ("/api/results", '{"image": "x", "query": "x"}')):
        answer = client.post(path, content=asked, headers={"Content-Type": "application/json", **headers})
        assert answer.status_code == status
    assert len(engine.store.listed().results) == (2 if status == 200 else 1)


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ("{", "argument_invalid", "the request is not JSON"),
        ("", "argument_invalid", "the request is not JSON"),
        ("[1]", "argument_invalid", "the request is not an object"),
        ('{"positive": [[1]]}', "argument_invalid", "positive.0.1 is missing"),
        ('{"positive": [[1, 2, 3]]}', "argument_invalid", "positive.0 has more than 2 entries"),
        ('{"positive": [[1, NaN]]}', "argument_invalid", "positive.0.1 is not a finite number"),
        ('{"positive": [[true, 1]]}', "argument_invalid", "positive.0.0 is not a number"),
        ('{"positive": [["1", 1]]}', "argument_invalid", "positive.0.0 is not a number"),
        ('{"positive": "x"}', "argument_invalid", "positive is not a list"),
        ('{"keep": [1.5]}', "argument_invalid", "keep.0 is not a whole number"),
        ('{"instruction": 5}', "argument_invalid", "instruction is not text"),
        ('{"colour": 1}', "argument_invalid", "colour is not known here"),
        ('{"instruction": "' + "x" * 70_000 + '"}', "limit_exceeded", "65536 bytes"),
        ("[" * 60_000, "argument_invalid", "not JSON"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_what_is_wrong(client, engine, body, code, named):
    made = segment(engine, "harbour.tif", TANKS)
    json_type = {"Content-Type": "application/json"}
    error = client.post(f"/api/results/{made.id}/refine", content=body, headers=json_type).json()["error"]
    assert error["code"] == code
    assert named in error["what"]


def test_a_limit_is_a_number_of_results(client):
    for limit in ("0", "201", "x", "-1", "²"):
        assert client.get("/api/results", params={"limit": limit}).json()["error"]["code"] == "argument_invalid"


def test_files_are_handed_over_and_say_nothing_of_this_machine(client, engine, harbour):
    made = segment(engine, "harbour.tif", TANKS)
    for name in ("mask.tif", "regions.geojson", "preview.png"):
        answer = client.get(f"/api/results/{made.id}/files/{name}")
        assert answer.content == engine.store.artifact(made.id, name).read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="{made.id}-{name}"'
        assert answer.headers["cache-control"] == "no-store"
    for path in (f"/api/results/{made.id}", f"/api/results/{made.id}/files/record.json"):
        text = client.get(path).text
        assert TANKS in text
        assert str(harbour.parent) not in text
    for name in ("..%2frecord.json", "%2e%2e", ".lock", "secret"):
        assert client.get(f"/api/results/{made.id}/files/{name}").status_code == 404


def test_what_is_said_of_this_machine_is_the_servers_to_decide(engine, tmp_path):
    def redact(text):
        return text.replace(str(tmp_path), "somewhere")

    with TestClient(Starlette(routes=page_routes(lambda _: engine, redact=redact))) as client:
        told = client.post("/api/results", json={"image": "harbour.tif", "query": TANKS})
        made = lines(told)[-1]["result"]
        unknown = client.post("/api/results", json={"image": "harbour.tif", "query": "cathedrals"})
        record, file = client.get(f"/api/results/{made}"), client.get(f"/api/results/{made}/files/record.json")
        for answer in (told, unknown, record, file, client.get("/api/results/r_00000000")):
            assert str(tmp_path) not in answer.text
        assert "somewhere" in record.text


def test_the_picture_is_what_the_models_saw_and_never_another(client, engine, harbour):
    import io
    import shutil

    from PIL import Image

    copy = harbour.parent / "moving.tif"
    shutil.copyfile(harbour, copy)
    made = segment(engine, "moving.tif", TANKS)
    with Image.open(io.BytesIO(client.get(f"/api/results/{made.id}/image").content)) as picture:
        assert picture.size == made.scene.view_size
    with Image.open(io.BytesIO(client.get(f"/api/results/{made.id}/thumbnail").content)) as small:
        assert small.size == (176, 176)
    with copy.open("r+b") as file:
        file.seek(-200_000, 2)
        file.write(bytes(100_000))
    answer = client.get(f"/api/results/{made.id}/image")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "image_unreadable")
    copy.unlink()
    assert client.get(f"/api/results/{made.id}/image").status_code == 404
    left = client.get(f"/api/results/{made.id}").json()  # the result itself is there still
    assert left["count"] == 7
    assert left["remark"].startswith("image_not_found")


def test_a_tree_holds_ancestors_and_descendants_and_nobody_else(engine):
    first, other = segment(engine, "harbour.tif", TANKS), segment(engine, "harbour.tif", TANKS)
    child = refine(engine, first.id, Refinement(keep=(1, 2)))
    both = refine(engine, child.id, Refinement(other=other.id, operation="intersection"))
    alone = segment(engine, "harbour.tif", "helicopters")
    summaries = engine.store.listed().results
    assert {s.id for s in relatives(child.id, summaries)} == {first.id, other.id, child.id, both.id}
    assert [s.id for s in relatives(alone.id, summaries)] == [alone.id]


def test_work_stops_at_its_next_step_where_the_browser_has_gone(engine):
    started, ended, over = threading.Event(), threading.Event(), threading.Event()

    def task(progress):
        started.set()
        try:
            while not over.is_set():
                progress("on and on")
        finally:
            ended.set()

    async def receive():
        await anyio.to_thread.run_sync(started.wait)
        return {"type": "http.disconnect"}

    async def send(_):
        await anyio.sleep(0)

    async def visit():
        with anyio.move_on_after(10):
            await WorkResponse(engine, task, in_thread)({"type": "http"}, receive, send)
        stopped = await anyio.to_thread.run_sync(ended.wait, 10)
        over.set()  # so that a failure does not go on and on
        await anyio.to_thread.run_sync(ended.wait)
        return stopped

    assert anyio.run(visit)


def test_a_bug_leaves_the_lines_without_an_outcome_and_is_not_swallowed(engine):
    sent = []

    def task(_):
        raise ZeroDivisionError

    async def receive():
        await anyio.sleep_forever()

    async def send(message):
        sent.append(message)

    async def visit():
        await WorkResponse(engine, task, in_thread)({"type": "http"}, receive, send)

    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(visit)
    assert caught.group_contains(ZeroDivisionError)
    assert b"result" not in b"".join(m.get("body", b"") for m in sent)
    assert not any(m.get("more_body") is False for m in sent)


def test_no_script_of_the_page_turns_text_into_html():
    for name in ("ol.js", "viewer.js", "result.js", "page.js", "app.js"):
        text = static_text(name)
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "srcdoc"):
            assert way not in text


def test_a_name_is_shown_instead_of_the_question_and_the_record_stays(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    before = engine.store.artifact(made.id, "record.json").read_bytes()
    path = f"/api/results/{made.id}"
    assert client.post(f"{path}/name", json={"name": "  North quay\n"}).json() == {"name": "North quay"}
    assert client.get(path).json()["name"] == "North quay"
    assert client.get("/api/results").json()["results"][0]["name"] == "North quay"
    assert engine.store.artifact(made.id, "record.json").read_bytes() == before
    assert client.post(f"{path}/name", json={"name": ""}).json() == {"name": ""}
    assert client.get(path).json()["name"] == ""
    assert client.post(f"{path}/name", json={"name": "x" * 121}).status_code == 400


def test_a_result_is_deleted_by_its_owner_only(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    path = f"/api/results/{made.id}"
    somebody = {"Authorization": "Bearer somebody"}
    assert client.delete(path, headers=somebody).status_code == 404
    assert client.post(f"{path}/name", json={"name": "mine"}, headers=somebody).status_code == 404
    assert client.delete(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.delete(path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get(path).status_code == 200
    assert client.delete(path).json() == {"deleted": made.id}
    assert client.get(path).status_code == client.delete(path).status_code == 404


def test_a_part_of_the_image_of_a_result_is_asked_about(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    asked = {"of": made.id, "query": "helicopters", "bbox": [100, 50, 400, 350]}
    child = engine.store.load(lines(client.post("/api/results", json=asked))[-1]["result"])
    assert child.scene.window == (100, 50, 300, 300)
    assert (child.scene.path, child.parents) == (made.scene.path, ())
    refused = lines(client.post("/api/results", json=asked, headers={"Authorization": "Bearer somebody"}))[-1]
    assert refused["error"]["code"] == "result_unknown"


@pytest.mark.parametrize(
    "asked",
    [{}, {"image": "harbour.tif", "of": "r_00000000"}, {"of": "r_00000000", "bbox": [1, 2, 3]}],
)
def test_a_question_is_about_one_image_and_one_box(client, asked):
    answer = client.post("/api/results", json={"query": TANKS, **asked})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "argument_invalid")


def test_the_viewer_is_shipped_with_its_licences_and_names_no_host():
    viewer, licences = static_text("ol.js"), static_text("ol-licences.txt")
    version = re.match(r"/\* OpenLayers ([0-9.]+),", viewer)
    assert version
    assert f"ol {version[1]}\n\nBSD 2-Clause License" in licences
    assert "quickselect" in licences
    assert {urlsplit(url).hostname for url in re.findall(r"https?://[^\"'`]+", viewer)} == {"www.opengis.net"}


def test_a_base_map_opens_the_policy_for_its_host_and_for_pictures_only():
    url = "https://tiles.example.org:8443/osm/{z}/{x}/{y}.png?key=a"
    with TestClient(Starlette(routes=static_routes(url))) as client:
        policy = client.get("/").headers["content-security-policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["img-src"] == "'self' blob: https://tiles.example.org:8443"
    assert policy.count("example.org") == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://a.org/{z}/{x}/{y}", "https://a.org/{z}/{x}", "https://u:p@a.org/{z}/{x}/{y}", "//a.org/{z}/{x}/{y}",
        "https://a.org; script-src *//{z}/{x}/{y}", "https://a.org/{z}/{x}/{y} 'unsafe-inline'", "javascript:{z}{x}{y}", "https:///{z}/{x}/{y}",
    ],
)  # fmt: skip
def test_a_base_map_is_an_https_address_of_tiles(url):
    with pytest.raises(T2SError, match="basemap_url"):
        load_settings(basemap_url=url)


def test_a_result_names_the_base_map_where_it_has_a_ground(engine):
    made = segment(engine, "harbour.tif", TANKS)
    assert result_view(engine, made, ())["base"] is None
    settings = engine.settings.model_copy(
        update={"basemap_url": "https://a.org/{z}/{x}/{y}", "basemap_attribution": "A"}
    )
    view = result_view(replace(engine, settings=settings), made, ())
    assert view["base"] == {"url": "https://a.org/{z}/{x}/{y}", "attribution": "A"}


def test_the_rest_of_a_result_without_windows_is_refused(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    refused = lines(client.post(f"/api/results/{made.id}/rest", json={}))[-1]
    assert refused["error"]["code"] == "argument_invalid"
    assert "no windows left" in refused["error"]["what"]


def test_unsure_regions_are_left_out(client, engine):
    made = segment(engine, "harbour.tif", TANKS)
    told = lines(client.post(f"/api/results/{made.id}/refine", json={"min_probability": 0.45}))
    assert engine.store.load(told[-1]["result"]).parameters == {"min_probability": 0.45}
    assert client.post(f"/api/results/{made.id}/refine", json={"min_probability": 2}).status_code == 400
