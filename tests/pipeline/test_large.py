"""A scene larger than one picture is looked at in windows, and the answer is the same whatever the windows are."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from evals.tiling.boxes import BoxModels, BoxPrompter
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, Refinement, describe, refine, segment, tiled_view
from t2s_agent.pipeline.change import compared
from t2s_agent.prompting.answer import Answer
from t2s_agent.regions.raster import read_mask
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.settings import load_settings
from t2s_agent.tiling.ledger import FOLDER

# x1, y1, x2, y2: a small one, one on a corner of four windows, one longer than two windows, one at the edge of the scene
BOXES = np.array([(20, 20, 30, 30), (78, 76, 95, 92), (40, 130, 330, 138), (380, 250, 400, 300)], float)
WIDTH, HEIGHT, SIDE = 400, 300, 96
THINGS = "things"


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.tif"
    profile = {"width": WIDTH, "height": HEIGHT, "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    with rasterio.open(
        path, "w", driver="GTiff", transform=Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000), **profile
    ) as file:
        file.write(np.random.default_rng(0).integers(1, 255, (3, HEIGHT, WIDTH), np.uint8))
    return path


class Failing(BoxPrompter):
    """Fails for the windows that show a pixel of the scene; `until` is how many calls fail."""

    def __init__(self, boxes, pixel, until=10**6):
        super().__init__(boxes)
        self.pixel, self.left = pixel, until

    def answer(self, views, questions):
        for view in views:
            x, y, width, height = view.window
            inside = x <= self.pixel[0] < x + width and y <= self.pixel[1] < y + height
            if inside and max(width, height) <= SIDE and self.left > 0:
                self.left -= 1
                raise T2SError("model_failed", "the model fell asleep", "Wake it")
        return super().answer(views, questions)


class Talking(BoxPrompter):
    """Takes ten tokens for each answer."""

    def answer(self, views, questions):
        return [Answer(a.status, a.instances, raw=a.raw, tokens=10) for a in super().answer(views, questions)]


def engine_at(folder, prompter=None, **settings):
    chosen = load_settings(store=folder, segmenter="box", max_size=SIDE, **settings)
    opened = Engine.open(chosen)
    opened.models = BoxModels(chosen, prompter or BoxPrompter(BOXES))
    return opened


@pytest.fixture
def engine(tmp_path):
    return engine_at(tmp_path / "store")


def areas(engine, record):
    return sorted(
        round(region.area.value) for region in StoredRegions(engine.store.artifact(record.id, "regions.geojson"))
    )


def windows_of(engine, record):
    return json.loads(engine.store.artifact(record.id, "windows.geojson").read_text())["features"]


def test_objects_across_windows_are_one_and_are_measured_whole(engine, scene):
    record = segment(engine, scene, THINGS)
    assert record.status == "found"
    true = sorted((x2 - x1) * (y2 - y1) / 4 for x1, y1, x2, y2 in BOXES)
    assert areas(engine, record) == pytest.approx(true, rel=0.01)
    assert record.tiling.windows == record.tiling.looked_at == 20
    assert record.tiling.unsure_objects == 0


def test_the_mask_holds_the_ids_of_the_regions_in_full_resolution(engine, scene):
    record = segment(engine, scene, THINGS)
    labels = read_mask(engine.store.artifact(record.id, "mask.tif"))
    assert labels.shape == (HEIGHT, WIDTH)
    ids = {region.id for region in StoredRegions(engine.store.artifact(record.id, "regions.geojson"))}
    assert set(np.unique(labels).tolist()) == {0, *ids}
    assert [int((labels == labels[int(y), int(x)]).sum()) for x, y, *_ in BOXES] == [100, 272, 2320, 1000]


def test_a_small_scene_is_looked_at_once_and_gives_what_it_always_gave(tmp_path, scene):
    engine = engine_at(tmp_path / "store")
    part = {"bbox": (0, 0, 90, 90), "bbox_crs": "pixels"}
    full = segment(engine, scene, THINGS, mode="full", **part)
    once = segment(engine, scene, THINGS, mode="overview", **part)
    assert full.tiling is None
    assert full.regions == once.regions
    assert full.scene == once.scene


def test_a_description_has_the_total_of_the_record(tmp_path, scene):
    boxes = np.array(
        [(x, y, x + 7 + x % 5, y + 6 + y % 7) for x in range(3, 380, 19) for y in range(5, 280, 17)], float
    )
    engine = engine_at(tmp_path / "store", BoxPrompter(boxes))
    record = segment(engine, scene, THINGS)
    told = describe(engine, result_id=record.id).measured
    assert (told["total_area_m2"], told["total_area_pm_m2"]) == (record.total_area, record.total_area_pm)


def test_overview_looks_once(engine, scene):
    record = segment(engine, scene, THINGS, mode="overview")
    assert record.tiling is None
    assert record.status == "partly"
    assert engine.models.prompter().asked == 1


def test_auto_takes_windows_only_where_the_overview_is_too_coarse(engine, scene):
    twice = {"bbox": (0, 0, 2 * SIDE, SIDE), "bbox_crs": "pixels"}
    assert segment(engine, scene, THINGS, **twice).tiling is None
    assert segment(engine, scene, THINGS, mode="full", **twice).tiling is not None


def test_a_coarser_resolution_takes_fewer_windows(engine, scene):
    record = segment(engine, scene, THINGS, gsd_m=1.0, mode="full")
    assert record.tiling.grid == (WIDTH // 2, HEIGHT // 2)
    assert record.tiling.gsd_m == pytest.approx(1.0, rel=0.01)
    assert len(areas(engine, record)) == len(BOXES)


def test_windows_that_fail_are_named_and_the_others_stand(tmp_path, scene):
    engine = engine_at(tmp_path / "store", Failing(BOXES, (390, 290)))
    record = segment(engine, scene, THINGS)
    assert record.status == "partly"
    assert (record.tiling.failed, record.tiling.looked_at) == (1, 19)
    assert record.tiling.share_not_looked_at == pytest.approx(0.04, abs=0.03)
    assert any("model_failed: the model fell asleep" in warning for warning in record.warnings)
    failed = [each for each in windows_of(engine, record) if each["properties"]["status"] == "failed"]
    assert len(failed) == 1
    assert "fell asleep" in failed[0]["properties"]["why"]


def test_a_window_is_tried_again(tmp_path, scene):
    engine = engine_at(tmp_path / "store", Failing(BOXES, (390, 290), until=2))
    record = segment(engine, scene, THINGS)
    assert record.status == "found"
    assert record.tiling.failed == 0


def test_an_object_that_goes_on_where_nobody_looked_is_marked(tmp_path, scene):
    engine = engine_at(tmp_path / "store", Failing(BOXES, (300, 134)))
    record = segment(engine, scene, THINGS)
    assert [region.seams for region in record.regions if region.seams] == [("edge_unseen",)] * 2  # one on each side


def test_a_model_that_always_fails_raises_its_error(tmp_path, scene):
    class Broken(BoxPrompter):
        def answer(self, views, questions):
            if max(views[0].window[2:]) <= SIDE:
                raise T2SError("endpoint_failed", "nobody answers", "Start the server")
            return super().answer(views, questions)

    engine = engine_at(tmp_path / "store", Broken(BOXES))
    with pytest.raises(T2SError, match="nobody answers"):
        segment(engine, scene, THINGS)
    assert not engine.store.listed().results


def test_a_limit_of_windows_gives_a_part_and_more_goes_on_from_there(engine, scene):
    part = segment(engine, scene, THINGS, max_windows=8)
    assert part.status == "partly"
    assert (part.tiling.looked_at, part.tiling.not_reached) == (8, 12)
    assert 0.4 < part.tiling.share_not_looked_at < 0.8
    engine.models.prompter().asked = 0
    whole = segment(engine, scene, THINGS)
    assert engine.models.prompter().asked == 1 + 12
    assert whole.status == "found"
    assert not list((engine.store.folder / FOLDER).iterdir())


@pytest.mark.parametrize(
    "limits",
    [
        [{"max_windows": 3}, {"max_windows": 10}, {}],
        [{"max_tokens": 1}, {"max_tokens": 90}, {"max_tokens": 10**6}],
        [{"max_seconds": 1e-9}, {"max_seconds": 60}],
    ],
)
def test_work_under_rising_limits_ends_with_what_one_run_gives(tmp_path, scene, limits):
    def engine(name):
        opened = engine_at(tmp_path / name)
        opened.models = BoxModels(opened.settings, Talking(BOXES))
        return opened

    whole = segment(engine("one"), scene, THINGS)
    several = engine("several")
    *first, last = [segment(several, scene, THINGS, **limit) for limit in limits]
    assert {record.status for record in first} == {"partly"}
    for part in ("status", "mask_sha256", "scene", "regions", "tiling", "warnings", "prompted"):
        assert getattr(last, part) == getattr(whole, part), part


def test_windows_where_the_overview_found_something_come_first(engine, scene):
    part = segment(engine, scene, THINGS, max_windows=12)
    found = [each["properties"] for each in windows_of(engine, part) if each["properties"]["status"] == "found"]
    reached = [each["properties"] for each in windows_of(engine, part) if each["properties"]["status"] != "not_reached"]
    whole = segment(engine, scene, THINGS)
    all_found = [each for each in windows_of(engine, whole) if each["properties"]["status"] == "found"]
    assert len(reached) == 12
    assert len(found) == min(12, len(all_found))


def test_tokens_and_seconds_are_limits_too(engine, scene):
    engine.models = BoxModels(engine.settings, Talking(BOXES))
    assert segment(engine, scene, THINGS, max_tokens=40).tiling.looked_at == 4
    assert segment(engine, scene, "others", max_seconds=1e-9).tiling.looked_at == 0


def test_work_that_was_stopped_goes_on_to_the_same_result(tmp_path, scene):
    class Stop(Exception):
        pass

    def stop(words):
        if "windows 9 to 12 of" in words:
            raise Stop

    whole = segment(engine_at(tmp_path / "one"), scene, THINGS)
    engine = engine_at(tmp_path / "two")
    with pytest.raises(Stop):
        segment(engine, scene, THINGS, progress=stop)
    again = segment(engine, scene, THINGS)
    assert engine.models.prompter().asked == 1 + 8 + 1 + 12
    assert again.mask_sha256 == whole.mask_sha256
    assert again.scene == whole.scene
    assert again.regions == whole.regions
    assert again.tiling == whole.tiling


def test_union_makes_one_region_of_all(engine, scene):
    record = segment(engine, scene, THINGS, merge="union")
    assert len(record.regions) == 1
    assert record.regions[0].parts == len(BOXES)


def test_small_regions_are_left_out_and_counted_after_they_were_joined(engine, scene):
    record = segment(engine, scene, THINGS, min_area_m2=300)
    assert len(record.regions) == 1
    assert record.left_out == {"min_area_m2": 3}


def test_nothing_in_any_window_is_empty(tmp_path, scene):
    engine = engine_at(tmp_path / "store", BoxPrompter(np.zeros((0, 4))))
    record = segment(engine, scene, THINGS)
    assert record.status == "empty"
    assert record.regions == ()


def test_windows_without_data_are_not_asked(tmp_path, scene):
    with rasterio.open(scene, "r+") as file:
        file.nodata = 0
        values = file.read()
        values[:, :, 200:] = 0
        file.write(values)
    engine = engine_at(tmp_path / "store")
    record = segment(engine, scene, THINGS)
    assert record.status == "found"
    assert engine.models.prompter().asked < 1 + 20
    assert {each["properties"]["why"] for each in windows_of(engine, record)} == {"", "no data"}


def test_a_replay_looks_at_the_same_windows(engine, scene):
    record = segment(engine, scene, THINGS)
    assert record.parameters["mode"] == "full"
    again = segment(engine, scene, THINGS, **{k: v for k, v in record.parameters.items() if v is not None})
    assert again.scene.pixels_sha256 == record.scene.pixels_sha256
    assert again.prompted.raw == record.prompted.raw


def test_a_result_of_windows_is_refined_like_any_other(engine, scene):
    record = segment(engine, scene, THINGS)
    longest = refine(engine, record.id, Refinement(sort_by="length", descending=True, first=1))
    assert [round(each.area) for each in longest.regions] == [580]
    more = refine(engine, longest.id, Refinement(box=(200.0, 20.0, 220.0, 60.0), pixels=True))
    assert len(more.regions) == 2


def test_a_refinement_says_that_not_everything_was_looked_at(engine, scene):
    part = segment(engine, scene, THINGS, max_windows=8)
    kept = refine(engine, part.id, Refinement(keep=(1,)))
    assert kept.status == "partly"
    assert any("of the area, were not looked at" in warning for warning in kept.warnings)


def test_an_instruction_for_a_model_needs_one_picture(engine, scene):
    record = segment(engine, scene, THINGS)
    with pytest.raises(T2SError, match="Ask the whole question again, as a new one"):
        refine(engine, record.id, Refinement(instruction="only the red ones"))


def test_an_image_that_changed_meanwhile_is_noticed(engine, scene):
    record = segment(engine, scene, THINGS)
    with rasterio.open(scene, "r+") as file:
        file.write(255 - file.read())
    with pytest.raises(T2SError, match="no longer the image"):
        refine(engine, record.id, Refinement(keep=(1,)))


def test_windows_of_an_image_that_changed_are_looked_at_again(engine, scene):
    segment(engine, scene, THINGS, max_windows=8)
    with rasterio.open(scene, "r+") as file:
        values = file.read()
        values[:, 7, 7] ^= 1  # too little for the overview
        file.write(values)
    engine.models.prompter().asked = 0
    segment(engine, scene, THINGS)
    assert engine.models.prompter().asked == 1 + 20


def test_what_lies_beyond_the_last_whole_pixel_of_windows_is_said(engine, scene):
    record = segment(engine, scene, THINGS, gsd_m=1.5, mode="full")
    assert any("strips of 1 px at the right and 0 px" in warning for warning in record.warnings)


def test_an_object_where_there_is_no_data_is_none_and_its_window_was_looked_at(engine, scene):
    with rasterio.open(scene, "r+") as file:
        file.nodata = 0
        values = file.read()
        values[:, 240:, 370:] = 0
        file.write(values)
    record = segment(engine, scene, THINGS)
    assert record.status == "found"
    assert record.tiling.failed == 0
    assert len(record.regions) == len(BOXES) - 1


def test_a_refinement_with_a_partly_result_says_so(engine, scene):
    whole, part = segment(engine, scene, THINGS), segment(engine, scene, "others", max_windows=4)
    kept = refine(engine, whole.id, Refinement(other=part.id, operation="difference"))
    assert any("which it was combined with" in warning for warning in kept.warnings)


def test_a_change_does_not_count_what_was_not_looked_at(tmp_path, scene):
    engine = engine_at(tmp_path / "store")
    whole, part = segment(engine, scene, THINGS), segment(engine, scene, THINGS, max_windows=4)
    found = compared(engine, whole, part)
    assert found.comparison.of("gone") == ()
    assert found.comparison.not_seen_before == (4,)  # of the earlier date, where the later one was not looked at
    assert any("the later date was looked at only partly" in warning for warning in found.warnings())


def test_a_result_too_large_for_one_picture_is_not_corrected(engine, scene, monkeypatch):
    record = segment(engine, scene, THINGS)
    monkeypatch.setattr(tiled_view, "MOST_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.raises(T2SError, match="Segment a part of the image"):
        refine(engine, record.id, Refinement(keep=(1,)))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"mode": "half"}, "auto, overview or full"),
        ({"gsd_m": 0.0}, "gsd_m"),
        ({"max_windows": 0}, "max_windows"),
        ({"max_seconds": float("nan")}, "max_seconds"),
    ],
)
def test_wrong_limits_are_refused(engine, scene, wrong, named):
    with pytest.raises(T2SError, match=named):
        segment(engine, scene, THINGS, **wrong)
    assert engine.models.prompter().asked == 0


def test_questions_that_compare_are_warned_of(engine, scene):
    record = segment(engine, scene, "the largest thing")
    assert any("'largest' was answered for each window" in warning for warning in record.warnings)
