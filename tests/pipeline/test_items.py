"""Images elsewhere: by their address, and by a STAC item that names them."""

import json
import logging
import shutil
from dataclasses import replace

import pytest

from evals.remote.serving import https_files
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Refinement, describe, refine, replay, segment
from t2s_agent.pipeline.items import picture_named

TANKS = "Where are the storage tanks?"
TIFF = "image/tiff; application=geotiff"


@pytest.fixture
def elsewhere(engine, scene, tmp_path):
    """An engine that may fetch from a server with the demo scene, and the server."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(scene, folder / "harbour.tif")
    with https_files(folder) as served:
        allowed = {"remote_private_hosts": (served.host,), "remote_ca_file": served.ca, "roots": ()}
        yield replace(engine, settings=engine.settings.model_copy(update=allowed)), served, folder


def same(a, b):
    """Whether two results have the same pixels, mask and regions."""
    return (a.scene.pixels_sha256, a.mask_sha256, a.regions) == (b.scene.pixels_sha256, b.mask_sha256, b.regions)


def test_a_remote_image_gives_the_result_of_the_local_one(elsewhere, scene, engine):
    remote, served, _ = elsewhere
    result = segment(remote, f"{served.url}/harbour.tif", TANKS)
    assert same(result, segment(engine, scene, TANKS))
    assert (result.scene.path, result.scene.name) == (f"{served.url}/harbour.tif", "harbour.tif")
    assert len(refine(remote, result.id, Refinement(keep=(1, 2))).regions) == 2
    assert describe(remote, result_id=result.id, region_id=1, bands=True).measured["bands"]
    assert replay(remote, result.id).first_difference is None


def test_a_signature_is_stored_and_logged_nowhere_and_reading_again_is_refused_clearly(elsewhere, caplog):
    remote, served, _ = elsewhere
    caplog.set_level(logging.DEBUG)
    steps = []
    result = segment(remote, f"{served.url}/harbour.tif?sig=SECRET", TANKS, progress=steps.append)
    assert served.requests[0][0] == "/harbour.tif?sig=SECRET"
    stored = b"".join(path.read_bytes() for path in remote.store.folder.rglob("*") if path.is_file())
    for text in (stored.decode("latin-1"), " ".join(steps), caplog.text):
        assert "SECRET" not in text
    assert describe(remote, result_id=result.id).measured["count"] == 7  # needs no pixels
    for again in (lambda: replay(remote, result.id), lambda: describe(remote, result_id=result.id, bands=True)):
        with pytest.raises(T2SError, match="Segment it again with a new address"):
            again()


def test_a_host_that_is_not_allowed_is_said(engine):
    with pytest.raises(T2SError, match=r"T2S_REMOTE_HOSTS=data\.example\.org") as caught:
        segment(engine, "https://data.example.org/a.tif?sig=SECRET", TANKS)
    assert caught.value.code == "remote_refused"
    assert "SECRET" not in str(caught.value)


def write_item(path, href, **asset):
    image = {"href": href, "type": TIFF, "roles": ["data"], **asset}
    whole = {"type": "Feature", "stac_version": "1.1.0", "id": "harbour", "links": [], "assets": {"visual": image}}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def test_an_item_opens_its_picture_wherever_both_are(elsewhere, engine, scene):
    remote, served, folder = elsewhere
    local = segment(engine, scene, TANKS)
    beside = write_item(folder / "beside.json", "./harbour.tif")
    away = write_item(folder.parent / "away.json", f"{served.url}/harbour.tif")
    for item in (str(beside), f"{beside}#visual", f"{served.url}/beside.json", str(away)):
        result = segment(remote, item, TANKS)
        assert same(result, local)
        assert result.scene.name == "harbour.tif"


def test_the_bands_of_an_item_are_those_of_the_result_and_ones_own_come_first(elsewhere, tmp_path):
    remote, _, folder = elsewhere
    bands = [{"name": name} for name in ("blue", "green", "red")]
    item = write_item(folder / "item.json", "harbour.tif", bands=bands)
    assert picture_named(remote.settings, item) == (str(folder / "harbour.tif"), "3,2,1")
    assert picture_named(remote.settings, item, "1")[1] == "1"
    assert segment(remote, item, TANKS).scene.bands == (3, 2, 1)


def test_an_item_of_the_web_opens_no_file_of_this_machine(elsewhere, scene):
    remote, served, folder = elsewhere
    write_item(folder / "item.json", scene.absolute().as_uri())
    with pytest.raises(T2SError, match="without file:"):
        segment(remote, f"{served.url}/item.json", TANKS)


def test_an_item_opens_nothing_outside_of_the_roots(elsewhere, scene, tmp_path):
    remote, _, folder = elsewhere
    within = replace(remote, settings=remote.settings.model_copy(update={"roots": (folder,)}))
    write_item(folder / "item.json", str(scene))
    with pytest.raises(T2SError) as caught:
        segment(within, "item.json", TANKS)
    assert caught.value.code == "image_not_found"
    write_item(tmp_path / "outside.json", "served/harbour.tif")
    with pytest.raises(T2SError, match="there is no image"):
        segment(within, "../outside.json", TANKS)


@pytest.mark.parametrize("content", ["", "[", "[]", '{"type": "Feature"}', "[" * 100_000])
def test_a_document_that_is_no_item_is_said(engine, tmp_path, content):
    (tmp_path / "item.json").write_text(content, encoding="utf-8")
    unbound = replace(engine, settings=engine.settings.model_copy(update={"roots": ()}))
    with pytest.raises(T2SError) as caught:
        segment(unbound, tmp_path / "item.json", TANKS)
    assert caught.value.code == "argument_invalid"
