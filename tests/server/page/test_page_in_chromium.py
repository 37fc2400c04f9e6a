"""The page as a person meets it, in a real browser."""

import io
import json
import re
import threading
from dataclasses import replace
from urllib.parse import urlsplit

import anyio
import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from evals.tiling.boxes import BoxModels, BoxPrompter
from t2s_agent.pipeline import Refinement, refine, segment
from t2s_agent.server.build import build_server
from t2s_agent.server.http import build_app
from t2s_agent.server.page.app import APP_URI, VIEW_URI, app_html
from t2s_agent.server.page.region_index import index_of
from t2s_agent.server.page.result_view import lonlat_grid, view_json
from t2s_agent.server.page.routes import page_routes

TANKS = "Where are the storage tanks?"
HOSTILE = "<b>boats</b>"
LABEL = "<img src=x onerror=document.title='owned'>"

SHOWN = "document.getElementById('result')?.dataset.shows"
STAGE = "document.querySelector('.stage')"
PICTURE = f"{STAGE}?.dataset.drawn && {STAGE}.dataset.outlines"  # all tiles of what is seen, and its outlines
MARKS = f"{STAGE}.viewer.sources.marks.getFeatures().map(mark => mark.get('good'))"


def opened(tab, address, result="", **how):
    tab.open(f"{address}#{result}" if result else address, **how)
    tab.until(f"{SHOWN} && {PICTURE}")
    return tab


def test_the_newest_result_is_shown_with_its_picture_table_thinking_and_list(tab, serve, engine):
    segment(engine, "harbour.tif", "helicopters")
    made = segment(engine, "harbour.tif", TANKS)
    address = serve()
    opened(tab, address)
    assert tab.js(SHOWN) == made.id
    assert tab.js(f"{STAGE}.dataset.outlines") == "7"
    assert len(made.regions) == 7
    tab.until("document.querySelectorAll('tbody tr').length === 7")
    assert tab.js("[...document.querySelectorAll('#list strong')].map(e => e.textContent)") == [TANKS, "helicopters"]
    first = made.regions[0]
    row = tab.js("document.querySelector('tbody tr').innerText.split('\\t').map(t => t.trim())")
    assert row[:3] == ["1", "tank", f"{first.area:,.0f} ± {first.area_pm:,.0f}"]
    assert "Round roofs by the quay." in tab.js("document.querySelector('[aria-label=Thinking]').innerText")
    assert "plus/minus" in tab.js("document.querySelector('.method').textContent")
    tab.until("[...document.querySelectorAll('.thumb')].every(t => t.complete && t.naturalWidth > 0)")
    assert tab.complaints() == []
    assert all(url.startswith((address, f"blob:{address}")) for url in tab.asked())


def test_pointing_at_a_row_lights_up_its_region_and_the_other_way_round(tab, serve, engine):
    segment(engine, "harbour.tif", TANKS)
    opened(tab, serve())
    tab.until("document.querySelectorAll('tbody tr').length === 7")
    tab.hover('tr[data-id="3"]')
    tab.until(f"{STAGE}.dataset.hot === '3'")
    tab.hover_at(*tab.on_region(5))
    tab.until(f"document.querySelector('tr.hot')?.dataset.id === '5' && {STAGE}.dataset.hot === '5'")
    tab.click_at(*tab.on_region(5))
    assert "Region 5 tank · area 400 ± 20 m²" in tab.until("document.querySelector('.facts').textContent")
    tab.until("document.querySelector('tr.chosen')?.dataset.id === '5'")
    tab.click('tr[data-id="5"]')
    tab.until("!document.querySelector('.chosen')")


def test_clicks_on_the_picture_make_a_new_result_below_the_old_one(tab, serve, engine):
    made = segment(engine, "harbour.tif", TANKS)
    opened(tab, serve())
    tab.click('[data-mode="belongs"]')
    place = {"x": 320.25, "y": 80.75}  # open water, in pixels of the scene
    tab.click_at(*tab.on_picture(place["x"], place["y"]))
    tab.click_at(*tab.on_region(1), button="right")
    assert tab.js(MARKS) == [True, False]
    assert "1 point that belongs, 1 that does not" in tab.js("document.querySelector('.correct .status').textContent")
    tab.click(".correct .primary")
    tab.until(f"{SHOWN} !== {json.dumps(made.id)} && {PICTURE}")
    child = engine.store.load(tab.js(SHOWN))
    assert tab.js("location.hash") == f"#{child.id}"
    assert child.parents == (made.id,)
    assert len(child.regions) == len(made.regions) + 1
    with engine.scene("harbour.tif") as scene:
        x, y = scene.georeference.from_lonlat(*child.parameters["positive"][0])
    assert abs(x[0] - place["x"]) < 1.4  # a pixel of the screen is 1.3 of the picture
    assert abs(y[0] - place["y"]) < 1.4
    tree = tab.js(
        "[...document.querySelectorAll('.tree a')].map(a => [a.getAttribute('href'), a.getAttribute('aria-current')])"
    )
    assert tree == [[f"#{made.id}", None], [f"#{child.id}", "true"]]
    tab.click(".tree a")
    tab.until(f"{SHOWN} === {json.dumps(made.id)}")
    tab.until("document.querySelectorAll('#list li').length === 2")
    assert tab.complaints() == []


def test_a_keyboard_is_enough_to_correct_a_result(tab, serve, engine):
    made = segment(engine, "harbour.tif", TANKS)
    opened(tab, serve())
    tab.js("document.querySelector('.stage').focus()")
    for key in ("ArrowRight", "ArrowUp", "p", "ArrowLeft", "n", "Backspace"):
        tab.press(key, {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39}.get(key, 8 if key == "Backspace" else 0))
    assert tab.js(MARKS) == [True]
    tab.js("document.querySelector('.correct .primary').focus()")
    tab.press("Enter", 13)
    tab.until(f"{SHOWN} !== {json.dumps(made.id)}")
    assert engine.store.load(tab.js(SHOWN)).parents == (made.id,)
    focus = tab.js("document.activeElement.id")
    assert focus == "result"


def test_what_a_model_or_a_person_wrote_is_text_and_nothing_else(tab, serve, engine):
    made = segment(engine, "harbour.tif", HOSTILE)
    opened(tab, serve())
    assert tab.js("document.querySelector('tbody td.text').textContent") == LABEL == made.regions[0].label
    assert tab.js("document.querySelector('.title h2').textContent") == HOSTILE
    assert tab.js("document.querySelector('.words-of').textContent") == "<script>document.title='owned'</script>"
    assert tab.js("document.querySelectorAll('main img, main script, main b b, #list strong b').length") == 0
    assert tab.js("document.title") == f"{HOSTILE} · t2s-agent"
    blocked = "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'allowed'; } catch (error) { return error.name; } })()"
    assert tab.js(blocked) == "TypeError"  # the policy forbids text to become HTML, whoever tries


def test_a_token_is_asked_for_kept_in_the_tab_and_sent_with_everything(tab, serve, engine):
    made = segment(engine, "harbour.tif", TANKS)
    address = serve(token="open sesame")
    tab.open(address)
    tab.until("document.getElementById('sign-in').open")
    assert TANKS not in tab.js('document.documentElement.outerHTML.replace(/placeholder="[^"]*"/g, \'\')')
    for word in ("wrong", "open sesame"):
        tab.js("document.querySelector('#sign-in input').focus()")
        tab.type(word)
        tab.click("#sign-in .primary")
        if word == "wrong":
            tab.until(
                "document.getElementById('sign-in').open && document.querySelector('#sign-in .error').textContent"
            )
    tab.until(f"{SHOWN} === {json.dumps(made.id)} && {PICTURE}")
    assert tab.js("sessionStorage.getItem('t2s-token')") == "open sesame"
    assert tab.js("localStorage.length") == 0
    assert not any("sesame" in url for url in tab.asked())


def test_a_narrow_screen_scrolls_down_only_and_the_list_is_a_drawer(tab, serve, engine):
    segment(engine, "harbour.tif", TANKS)
    opened(tab, serve(), width=400, height=800)
    assert tab.js("document.documentElement.scrollWidth") == 400
    assert tab.js("getComputedStyle(document.getElementById('shelf')).display") == "none"
    tab.click("#drawer")
    assert tab.js("document.getElementById('drawer').getAttribute('aria-expanded')") == "true"
    tab.click("#list a")
    tab.until("document.getElementById('drawer').getAttribute('aria-expanded') === 'false'")


def test_colours_follow_the_system_and_can_be_switched(tab, serve, engine):
    segment(engine, "harbour.tif", TANKS)
    opened(tab, serve(), dark=True)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = tab.js(ground)
    tab.click("#theme")
    assert tab.js(ground) != dark
    tab.click("#theme")
    assert tab.js(ground) == dark


def test_a_question_is_asked_and_its_answer_opened(tab, serve, engine):
    tab.open(serve())
    tab.until("!document.getElementById('ask').hidden")
    assert "No results yet." in tab.js("document.getElementById('result').textContent")
    tab.js("document.querySelector('#ask textarea').focus()")
    tab.type("helicopters")
    tab.click("#ask .primary")
    tab.until(SHOWN)
    assert engine.store.load(tab.js(SHOWN)).status == "empty"
    assert "Nothing was found" in tab.js("document.getElementById('result').innerText")
    tab.js("document.querySelector('#ask textarea').value = 'cathedrals'")
    tab.click("#ask .primary")  # the script knows no such question
    assert "argument_invalid" in tab.until("document.querySelector('#ask .error')?.textContent")
    assert len(engine.store.listed().results) == 1


def test_stopping_leaves_nothing_behind(tab, serve, engine):
    made = segment(engine, "harbour.tif", TANKS)
    going, stopped = threading.Event(), threading.Event()

    async def work(_, task):
        going.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    opened(tab, serve(work=work))
    tab.click_at(*tab.on_region(2))
    tab.click(".chosen-bar button")
    assert going.wait(60)
    tab.until("[...document.querySelectorAll('.correct button')].some(b => b.textContent === 'Stop' && !b.hidden)")
    tab.js("[...document.querySelectorAll('.correct button')].find(b => b.textContent === 'Stop').click()")
    assert stopped.wait(60)
    tab.until("document.querySelector('.correct .status').textContent.startsWith('Stopped')")
    assert [summary.id for summary in engine.store.listed().results] == [made.id]


def test_a_picture_that_has_gone_is_said_and_the_outlines_remain(tab, serve, engine, harbour):
    import shutil

    shutil.copyfile(harbour, harbour.parent / "gone.tif")
    segment(engine, "gone.tif", TANKS)
    (harbour.parent / "gone.tif").unlink()
    tab.open(serve())
    assert "image_not_found" in tab.until("document.querySelector('.left [role=alert]')?.textContent")
    assert tab.until(f"{STAGE}.dataset.outlines") == "7"


def test_files_are_downloaded_under_the_results_name(tab, serve, engine, tmp_path):
    made = segment(engine, "harbour.tif", TANKS)
    opened(tab, serve(token=""))
    file = tab.downloaded(tmp_path, ".downloads button:nth-child(2)")
    assert file.name == f"{made.id}-regions.geojson"
    assert file.read_bytes() == engine.store.artifact(made.id, "regions.geojson").read_bytes()


def test_what_an_agent_makes_is_on_the_page_of_the_same_server(tab, listening, engine, ask):
    server = build_server(engine.settings, engine=engine)
    address = listening(build_app(server, engine.settings))
    tab.open(address)
    tab.until("document.getElementById('shelf-status').textContent.startsWith('None yet')")
    call = {"image": "harbour.tif", "query": TANKS}
    answer = ask(f"{address}mcp", lambda client: client.call_tool("reason_segment", call))
    made = answer.structured_content["result_id"]
    tab.click("#again")
    tab.until("document.querySelectorAll('#list li').length === 1")
    tab.click("#list a")
    tab.until(f"{SHOWN} === {json.dumps(made)} && {PICTURE}")
    tab.click_at(*tab.on_region(3))
    tab.click(".chosen-bar button")  # keep only this
    tab.until(f"{SHOWN} !== {json.dumps(made)}")
    assert len(engine.store.load(tab.js(SHOWN)).regions) == 1
    assert tab.complaints() == []


def test_a_box_is_drawn_and_asked_about(tab, serve, engine):
    segment(engine, "harbour.tif", TANKS)
    opened(tab, serve())
    tab.click('[data-mode="part"]')
    tab.drag(tab.on_picture(100, 60), tab.on_picture(400, 300))
    tab.until("document.querySelector('[aria-label=\"Ask about a part\"]').innerText.startsWith('Asks about')")
    tab.click('[aria-label="Question"]')
    tab.type("helicopters")
    tab.press("Enter", 13)
    tab.until("document.querySelector('.title h2')?.textContent === 'helicopters'")
    x, y, width, height = engine.store.load(tab.js(SHOWN)).scene.window
    assert (x, y, x + width, y + height) == pytest.approx((100, 60, 400, 300), abs=3)  # a pixel of the screen is 1.3
    assert tab.complaints() == []


def test_a_box_is_set_with_the_keyboard_too(tab, serve, engine):
    segment(engine, "harbour.tif", TANKS)
    opened(tab, serve())
    tab.js(f"{STAGE}.focus()")
    for key in ("ArrowRight", "b", "ArrowRight", "ArrowDown", "b"):
        tab.press(key, {"ArrowRight": 39, "ArrowDown": 40}.get(key, 66))
    assert tab.js("document.querySelector('[aria-label=\"Ask about a part\"]').innerText").startswith("Asks about 2")


def test_a_result_is_named_and_deleted(tab, serve, engine):
    segment(engine, "harbour.tif", "helicopters")
    made = segment(engine, "harbour.tif", TANKS)
    opened(tab, serve())
    tab.click(".title .acts button:nth-child(1)")
    tab.type("North quay")
    tab.press("Enter", 13)
    tab.until("document.querySelector('#list strong').textContent === 'North quay'")
    assert tab.until("document.querySelector('.title h2').textContent") == "North quay"
    assert engine.store.name_of(made.id) == "North quay"
    tab.click(".title .acts button:nth-child(2)")
    tab.click("#remove button:last-child")  # no
    tab.until("!document.getElementById('remove').open")
    assert len(engine.store.listed().results) == 2
    tab.click(".title .acts button:nth-child(2)")
    tab.click("#remove .danger")
    tab.until("document.querySelector('.title h2')?.textContent === 'helicopters'")
    assert [summary.query for summary in engine.store.listed().results] == ["helicopters"]
    assert tab.complaints() == []


def test_an_image_is_sent_looked_at_and_asked_about(tab, listening, engine, harbour, tmp_path):
    settings = engine.settings.model_copy(update={"upload_bytes": 4_000_000})
    address = listening(build_app(build_server(settings, engine=replace(engine, settings=settings)), settings))
    tab.open(address)
    tab.until("!document.getElementById('upload').hidden")
    (tmp_path / "big.tif").write_bytes(bytes(4_000_001))
    tab.choose_file("#upload input", tmp_path / "big.tif")
    assert "limit_exceeded" in tab.until("document.querySelector('#ask .error')?.textContent")
    (tmp_path / "bay.tif").write_bytes(harbour.read_bytes())
    tab.choose_file("#upload input", tmp_path / "bay.tif")
    tab.until(f"document.querySelector('.title h2')?.textContent === 'bay.tif' && {STAGE}.dataset.drawn")
    tab.click('[aria-label="Question"]')
    tab.type(TANKS)
    tab.press("Enter", 13)
    tab.until(f"document.querySelector('.title h2')?.textContent === {json.dumps(TANKS)} && {PICTURE}")
    assert tab.js(f"{STAGE}.dataset.outlines") == "7"
    assert tab.complaints() == []


def test_many_regions_are_counted_and_their_windows_shown(tab, serve, engine, monkeypatch):
    monkeypatch.setattr("t2s_agent.server.page.region_features.features_in.__defaults__", (3,))
    made = segment(engine, "harbour.tif", TANKS)
    looks = [
        {"status": status, "x": 160 * n, "y": 0, "width": 160, "height": 640, "why": ""}
        for n, status in enumerate(("found", "empty", "failed", "not_reached"))
    ]
    features = [{"type": "Feature", "geometry": None, "properties": look} for look in looks]
    (engine.store.folder / made.id / "windows.geojson").write_text(json.dumps({"features": features}))
    opened(tab, serve())
    assert tab.js(f"{STAGE}.dataset.clustered") == "true"
    tab.js("[...document.querySelectorAll('button')].find(b => b.textContent === 'Windows').click()")
    words = tab.until(f"{STAGE}.dataset.windows === '4' && document.querySelector('.legend').innerText")
    assert words.split() == [
        "Windows:",
        "1",
        "with",
        "regions",
        "1",
        "without",
        "1",
        "failed",
        "1",
        "not",
        "looked",
        "at",
    ]
    x1, y1, x2, y2 = index_of(made, engine.store.folder / made.id).boxes[4]
    tab.js(f"{STAGE}.viewer.clicked([{(x1 + x2) / 2}, {-(y1 + y2) / 2}], false)")  # beside all counts: the mask knows
    assert "Region 5 tank" in tab.until("document.querySelector('.facts').textContent")
    tab.until("document.querySelector('tr.chosen')?.dataset.id === '5'")
    assert tab.complaints() == []


def test_a_result_of_windows_offers_what_works_there(tab, listening, engine, truth):
    settings = engine.settings.model_copy(update={"max_size": 320})
    tanks = [thing for thing in truth.objects if thing.category == "storage tank"]
    boxes = [(x, y, x + thing.mask.shape[1], y + thing.mask.shape[0]) for thing in tanks for y, x in [thing.offset]]
    small = replace(
        engine, settings=settings, models=BoxModels(settings, BoxPrompter(np.array(boxes, np.float64), least_px=4))
    )
    made = segment(small, "harbour.tif", TANKS, mode="full", max_windows=4)
    assert (made.status, made.tiling.looked_at, made.tiling.windows) == ("partly", 4, 9)
    opened(tab, listening(Starlette(routes=page_routes(lambda _: small, images_of=lambda _: ["harbour.tif"]))))
    assert tab.js("document.querySelector('.correct input').getAttribute('aria-label')") == "Correct by size or place"
    assert "These words work" in tab.js("document.querySelector('.correct').innerText")
    assert "“Look at the rest” goes on from here." in tab.js(
        "document.querySelector('[aria-label=Thinking]').innerText"
    )
    tab.js(
        "[...document.querySelectorAll('button')].find(b => b.textContent === 'Look at the rest (5 windows)').click()"
    )
    tab.until(f"{SHOWN} !== {json.dumps(made.id)} && {PICTURE}")
    rest = small.store.load(tab.js(SHOWN))
    assert (rest.query, rest.tiling.looked_at) == (TANKS, 9)
    assert tab.js("[...document.querySelectorAll('button')].every(b => !b.textContent.startsWith('Look at the rest'))")
    tab.js("document.querySelector('.correct input').focus()")
    tab.type("only the largest")
    tab.press("Enter", 13)
    tab.until(f"{SHOWN} !== {json.dumps(rest.id)}")
    assert small.store.load(tab.js(SHOWN)).region_count == 1
    assert tab.complaints() == []


def test_a_long_question_is_shown_in_part_and_whole_on_request(tab, serve, engine):
    segment(engine, "harbour.tif", TANKS)
    made = segment(engine, "harbour.tif", "helicopters")
    record = engine.store.folder / made.id / "record.json"
    record.write_text(record.read_text().replace('"helicopters"', json.dumps("helicopters " * 150)))
    opened(tab, serve(), result=made.id)
    height = "document.querySelector('.title h2').offsetHeight"
    short = tab.js(height)
    assert short < 100
    tab.click(".whole")
    assert tab.js(height) > 3 * short
    assert tab.js("document.querySelector('.whole').getAttribute('aria-expanded')") == "true"


def test_a_server_that_has_gone_is_said_in_words(tab, serve, engine):
    segment(engine, "harbour.tif", TANKS)
    opened(tab, serve())
    tab.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    tab.click("#again")
    assert "The server does not answer" in tab.until("document.getElementById('shelf-status').textContent")


def test_a_base_map_lies_under_the_scene_where_one_is_configured(tab, listening, engine):
    def tile(request):
        asked.append(tuple(request.path_params[name] for name in "zxy"))
        return Response(cyan.getvalue(), media_type="image/png")

    cyan = io.BytesIO()
    Image.new("RGB", (256, 256), (0, 255, 255)).save(cyan, "PNG")
    asked: list[tuple[int, int, int]] = []
    url = listening(Starlette(routes=[Route("/{z:int}/{x:int}/{y:int}.png", tile)])) + "{z}/{x}/{y}.png"
    settings = engine.settings.model_copy(update={"basemap_url": url, "basemap_attribution": "© Somebody"})
    mapped = replace(engine, settings=settings)
    segment(engine, "harbour.tif", TANKS)
    opened(tab, listening(Starlette(routes=page_routes(lambda _: mapped, basemap_url=url))))
    assert tab.js("document.querySelector('.attribution').textContent") == "© Somebody"
    corner = "baseOf({base: {}, grid: GRID, record: {scene: {width: 640, height: 640}}})"
    with engine.scene("harbour.tif") as scene:
        grid = json.dumps(lonlat_grid(scene.georeference, 640, 640))
        lon, lat = scene.georeference.to_lonlat([100.0], [500.0])
    east, north = Transformer.from_crs(4326, 3857, always_xy=True).transform(lon[0], lat[0])
    found = tab.js(corner.replace("GRID", grid) + ".toMercator(100, 500)")
    assert found == pytest.approx([east, north], abs=0.05)
    assert tab.js(corner.replace("GRID", grid) + f".fromMercator({east}, {north})") == pytest.approx(
        [100, 500], abs=0.1
    )
    before = tab.js(f"{STAGE}.viewer.view.setResolution(4) || {STAGE}.dataset.drawn")
    tab.until(f"{STAGE}.dataset.drawn !== '{before}'")
    beside = tab.on_picture(-200, 320)
    assert tab.colour_at(*beside) == (0, 255, 255)  # the map, around the scene too
    half, z = 20_037_508.34, max(z for z, _, _ in asked)
    x, y = (int((half + value) / (2 * half) * 2**z) for value in (east, -north))
    assert any(abs(x - b) <= 1 and abs(y - c) <= 1 for a, b, c in asked if a == z)
    assert tab.complaints() == []


HOST = """
<!doctype html><title>host</title><iframe id="app" sandbox="allow-scripts" style="width: 700px; height: 900px"></iframe><script>
// A host of MCP Apps: it speaks to the frame and passes on what the test has laid out.
const frame = document.getElementById("app"), laid = LAID, calls = [];
const told = (message) => frame.contentWindow.postMessage({jsonrpc: "2.0", ...message}, "*");
const answers = {
  "ui/initialize": (p) => ({protocolVersion: p.protocolVersion, hostInfo: {name: "test", version: "1"}, hostContext: {theme: "dark"},
                            hostCapabilities: {serverTools: {}, serverResources: {}, updateModelContext: {text: {}}}}),
  "resources/read": (p) => ({contents: [{uri: p.uri, mimeType: "application/json", text: laid.views[p.uri]}]}),
  "tools/call": (p) => ({content: [], structuredContent: {status: "found", result_id: laid.next}}),
  "ui/update-model-context": () => ({}),
};
addEventListener("message", ({data, source}) => {
  if (source !== frame.contentWindow) return;
  calls.push(data);
  if (data.id !== undefined) told({id: data.id, result: answers[data.method](data.params)});
  if (data.method === "ui/notifications/initialized")
    told({method: "ui/notifications/tool-result", params: {content: [{type: "text", text: JSON.stringify({status: "found", result_id: laid.first})}]}});
  document.body.dataset.last = data.method;
});
frame.srcdoc = laid.html;
</script>
"""
# What hosts impose on a frame that declares no domains.
IMPOSED = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def test_the_app_shows_the_tools_answer_and_corrects_through_the_host(tab, engine, tmp_path):
    made = segment(engine, "harbour.tif", TANKS)
    child = refine(engine, made.id, Refinement(drop=(1,)))
    views = {f"t2s://results/{r.id}/view": view_json(engine, r.id) for r in (made, child)}
    html = app_html().replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{IMPOSED}">')
    laid = json.dumps({"views": views, "html": html, "first": made.id, "next": child.id}).replace("<", "\\u003c")
    (tmp_path / "host.html").write_text(HOST.replace("LAID", laid), encoding="utf-8")
    tab.open(f"file://{tmp_path}/host.html")
    tab.until("calls.some(c => c.method === 'ui/notifications/size-changed' && c.params.height > 500)")
    app = tab.inside()
    assert app.until(SHOWN) == made.id
    assert app.until(f"{STAGE}.dataset.picture && {STAGE}.dataset.outlines") == "7"
    assert app.js("document.documentElement.dataset.theme") == "dark"
    app.js("document.querySelector('[data-mode=belongs]').click()")
    app.js(f"{STAGE}.viewer.clicked([320, -160], false)")
    x, y = app.js(f"{STAGE}.viewer.sources.marks.getFeatures()[0].getGeometry().getCoordinates()")
    assert (x, -y) == (320, 160)
    y = -y
    app.js("document.querySelector('.correct .primary').click()")
    assert app.until(f"{SHOWN} === {json.dumps(child.id)}")
    call = tab.js("calls.find(c => c.method === 'tools/call').params")
    with engine.scene("harbour.tif") as scene:
        lon, lat = scene.georeference.to_lonlat(x, y)
    assert call["name"] == "refine_mask"
    assert call["arguments"].keys() == {"result_id", "positive_points"}
    (point,) = call["arguments"]["positive_points"]
    assert abs(point[0] - lon[0]) < 1e-7  # a centimetre
    assert abs(point[1] - lat[0]) < 1e-7
    said = tab.until("calls.find(c => c.method === 'ui/update-model-context')?.params.content[0].text")
    assert child.id in said
    assert tab.complaints() == app.complaints() == []
    assert [url for url in (*tab.asked(), *app.asked()) if not url.startswith(("file:", "data:", "about:"))] == []


def test_the_app_is_one_file_that_names_no_address(engine):
    html = app_html()
    assert "/*page.css*/" not in html
    assert "/*app.js*/" not in html
    assert html.count("</script>") == html.count("<script>") == 1
    named = {re.split(r"[\"'#`]", part)[0] for part in html.split("http")[1:]}
    hosts = {urlsplit(f"http{part}").hostname for part in named} - {None}
    assert hosts <= {"www.opengis.net"}  # names of coordinate systems, which nothing is fetched from


def test_the_server_announces_the_app_and_serves_what_it_reads(engine, ask):
    server = build_server(engine.settings, engine=engine)
    made = segment(engine, "harbour.tif", TANKS)

    async def look(client):
        tools = (await client.list_tools()).tools
        html = (await client.read_resource(APP_URI)).contents[0]
        view = (await client.read_resource(VIEW_URI.format(result_id=made.id))).contents[0]
        return {tool.name: (tool.meta or {}).get("ui") for tool in tools}, html, json.loads(view.text)

    announced, html, view = ask(server, look)
    bound = {"resourceUri": APP_URI}
    assert announced == {"reason_segment": bound, "refine_mask": bound, "describe_region": None}
    assert (html.mime_type, html.text) == ("text/html;profile=mcp-app", app_html())
    assert view["record"]["id"] == made.id
    assert view["picture"].startswith("data:image/jpeg;base64,")
