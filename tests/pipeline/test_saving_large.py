"""A result that is saved in parts is the one that is saved at once."""

import json
from dataclasses import replace

import numpy as np
import pytest
from views.data import cropped, mask_of, view_of

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.saving import store_result
from t2s_agent.pipeline.saving_large import store_large_result
from t2s_agent.pipeline.steps import Clock, no_progress
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.mask_blocks import LabelBlock
from t2s_agent.regions.plus_minus import CalibrationUsed
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import ModelReference, Prompted, SceneReference, TilingRecord
from t2s_agent.results.windows import WindowLook
from t2s_agent.scene.view import View

BOXES = [(0, 0, 10, 10), (14, 0, 24, 10), (20, 20, 23, 23), (50, 30, 60, 40)]
NANO = ModelReference(name="nano")
TILING = TilingRecord(
    tile=32,
    overlap=8,
    grid=(60, 40),
    gsd_m=0.5,
    windows=4,
    looked_at=3,
    failed=1,
    share_not_looked_at=0.2,
    threshold=0.5,
)
SAID = {
    "query": "tanks", "operation": "segment", "parameters": {"mode": "full"}, "prompter": NANO, "segmenter": NANO,
    "prompted": Prompted(question="tanks"), "warnings": ["hazy"], "progress": no_progress,
}  # fmt: skip


def reference_to(view):
    return SceneReference(
        name="a.tif", path="a.tif", width=60, height=40, window=view.window, view_size=(60, 40), bands=(1, 2, 3),
        max_size=1024, pixels_sha256="0", valid_share=1.0, gsd_m=view.gsd_m,
    )  # fmt: skip


def regions_of(view, boxes=BOXES):
    found = build_regions(cropped(mask_of(view, *each) for each in boxes), view, scores=[0.5] * len(boxes))
    regions = [replace(region, label="tank", calibrated=region.id == 2) for region in found.regions]
    used = CalibrationUsed("0" * 64, "scenes", "2026-11-01", None)
    return replace(found, regions=tuple(regions), calibration=used)


def saved_large(engine, view, found, **changes):
    nowhere = View.without_pixels(view.width, view.height, view.georeference, view.window, view.gsd_m, view.bands)
    given = {
        "most_id": len(found.regions), "calibration": found.calibration, "total": found.total, "clock": Clock(), **SAID,
    } | changes  # fmt: skip
    regions, blocks = given.pop("regions", found.regions), [LabelBlock(0, 0, found.labels)]
    return store_large_result(engine, nowhere, view, reference_to(view), blocks, iter(regions), **given)


def saved_small(engine, view, found):
    return store_result(engine, view, reference_to(view), found, clock=Clock(), **SAID)


@pytest.mark.parametrize("crs", [32633, None])
@pytest.mark.parametrize("boxes", [BOXES, BOXES[:1], []])
def test_record_and_files_are_those_of_a_result_saved_at_once(engine, crs, boxes):
    view = view_of(crs=crs)
    found = regions_of(view, boxes)
    small, large = saved_small(engine, view, found).record, saved_large(engine, view, found).record
    differing = {"id", "seconds", "created_utc"}
    assert large.model_dump(exclude=differing) == small.model_dump(exclude=differing)
    one, other = (engine.store.folder / each.id for each in (small, large))
    assert sorted(each.name for each in one.iterdir()) == sorted(each.name for each in other.iterdir())
    text = (other / "regions.geojson").read_text(encoding="utf-8")
    assert text.replace(large.id, small.id) == (one / "regions.geojson").read_text(encoding="utf-8")
    assert sorted(each.name for each in engine.store.folder.iterdir() if not each.name.startswith(".")) == sorted(
        [small.id, large.id]
    )


def test_the_picture_is_nearly_that_of_the_small_path_without_numbers_beside_regions(engine):
    view = view_of()
    found = regions_of(view)
    small, large = saved_small(engine, view, found).picture, saved_large(engine, view, found).picture
    assert small.size == large.size
    assert np.mean(np.asarray(small) == np.asarray(large)) > 0.98


def test_windows_are_a_file_and_those_left_out_make_the_result_partly(engine):
    view = view_of()
    windows = [
        WindowLook(0, 0, 0, 32, 32, "found", 120, 1.25),
        WindowLook(1, 28, 0, 32, 32, "failed", why="endpoint_failed: no answer"),
    ]
    saved = saved_large(engine, view, regions_of(view), complete=False, tiling=TILING, windows=iter(windows)).record
    assert (saved.status, saved.tiling) == ("partly", TILING)
    assert engine.store.load(saved.id) == saved
    collection = json.loads((engine.store.folder / saved.id / "windows.geojson").read_text(encoding="utf-8"))
    first, second = collection["features"]
    assert (first["properties"]["status"], first["properties"]["tokens"]) == ("found", 120)
    assert (second["properties"]["status"], second["properties"]["why"]) == ("failed", "endpoint_failed: no answer")
    west, south, east, north = view.georeference.bounds_lonlat(60, 40)
    for x, y in first["geometry"]["coordinates"][0][0]:
        assert west - 1e-6 <= x <= east + 1e-6
        assert south - 1e-6 <= y <= north + 1e-6


def test_a_record_has_the_first_regions_and_the_file_has_all(engine, monkeypatch):
    monkeypatch.setattr("t2s_agent.results.record.INLINE_REGIONS", 3)
    view = view_of()
    saved = saved_large(engine, view, regions_of(view)).record
    assert ([region.id for region in saved.regions], saved.region_count) == ([1, 2, 3], 4)
    assert engine.store.load(saved.id, regions=False).region_count == 4
    assert engine.store.listed().results[0].count == 4
    assert [region.id for region in StoredRegions(engine.store.artifact(saved.id, "regions.geojson"))] == [1, 2, 3, 4]


def test_what_fails_on_the_way_leaves_nothing(engine):
    view = view_of()
    found = regions_of(view)

    def failing():
        yield found.regions[0]
        raise T2SError("endpoint_failed", "gone", "Try again")

    with pytest.raises(T2SError, match="gone"):
        saved_large(engine, view, found, regions=failing())
    with pytest.raises(ValueError, match="region 3 comes after region 1"):
        saved_large(engine, view, found, regions=[found.regions[0], found.regions[2]])
    assert not [each for each in engine.store.folder.iterdir() if not each.name.startswith(".index")]


def test_an_id_that_is_taken_meanwhile_is_replaced_in_all_files(engine, monkeypatch):
    view = view_of()
    found = regions_of(view)
    taken = saved_large(engine, view, found).record.id
    ids = iter([taken, "r_00000000000000000000000a"])
    monkeypatch.setattr("t2s_agent.pipeline.saving.new_id", lambda: next(ids))
    saved = saved_large(engine, view, found).record
    assert saved.id == "r_00000000000000000000000a"
    folder = engine.store.folder / saved.id
    assert taken not in (folder / "regions.geojson").read_text(encoding="utf-8")
    assert (folder / "mask.tif").read_bytes() == (engine.store.folder / taken / "mask.tif").read_bytes()
