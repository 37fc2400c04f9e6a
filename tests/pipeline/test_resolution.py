"""The resolution of windows follows from what is asked for, is said, and can be overruled."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from evals.tiling.boxes import BoxModels, BoxPrompter
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, Refinement, describe, refine, replay, segment
from t2s_agent.pipeline.change import change
from t2s_agent.pipeline.resolution import OBJECT_PX, checked_gsd
from t2s_agent.settings import load_settings

WIDTH, HEIGHT, SIDE = 800, 600, 96  # px of 0.5 m; the overview has 8.3 px a pixel
LAKES = np.array([(20, 20, 140, 100), (300, 200, 420, 330), (640, 500, 740, 590)], float)
ASKED = "Where are the lakes?"  # 30 m or more: 32 pixels of 0.94 m


def written(path, **placed):
    with rasterio.open(path, "w", driver="GTiff", width=WIDTH, height=HEIGHT, count=1, dtype="uint8", **placed) as file:
        file.write(np.full((1, HEIGHT, WIDTH), 90, np.uint8))
    return path


@pytest.fixture
def scene(tmp_path):
    return written(tmp_path / "a.tif", crs="EPSG:32631", transform=Affine(0.25, 0, 500_000, 0, -0.25, 5_000_000))


@pytest.fixture
def engine(tmp_path):
    settings = load_settings(store=tmp_path / "store", segmenter="box", max_size=SIDE)
    opened = Engine.open(settings)
    opened.models = BoxModels(settings, BoxPrompter(LAKES))
    return opened


def test_large_things_take_fewer_windows_and_lose_none(engine, scene):
    full = segment(engine, scene, ASKED, gsd_m="native")
    chosen = segment(engine, scene, ASKED)
    assert (full.tiling.grid, chosen.tiling.grid) == ((WIDTH, HEIGHT), (WIDTH // 3, HEIGHT // 3))
    assert chosen.tiling.gsd_m < 30 / OBJECT_PX
    assert (full.tiling.windows, chosen.tiling.windows) == (70, 12)
    assert full.region_count == chosen.region_count == len(LAKES)
    assert chosen.total_area == pytest.approx(full.total_area, rel=0.03)


def test_the_choice_and_its_reason_are_said(engine, scene):
    record = segment(engine, scene, ASKED)
    (said,) = [each for each in record.warnings if "windows at" in each]
    assert said == record.tiling.chosen_because
    assert said == (
        "windows at 0.75 m a pixel, where the image has 0.25 m: the smallest usual lake is 30 m wide, 40 pixels "
        "(12 windows instead of 70); gsd_m native looks in full resolution"
    )
    assert segment(engine, scene, ASKED, gsd_m="native").tiling.chosen_because == ""


def test_what_was_chosen_for_the_question_is_not_too_coarse_for_it(engine, scene):
    record = segment(engine, scene, ASKED)
    assert record.status == "found"
    kept = refine(engine, record.id, Refinement(keep=(1, 2)))
    assert kept.status == "found"
    assert not any("cannot be seen" in str(each) for each in (record.warnings, kept.warnings))
    assert "remarks" not in str(describe(engine, result_id=record.id).measured).replace("remarks': ['distances", "")
    said = segment(
        engine, scene, ASKED, gsd_m=0.75, mode="full"
    )  # the caller's own words, about which nothing is known
    assert said.status == "partly"


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("things", {}),  # not in the table
        ("lakes with jetties", {}),
        ("cars near lakes", {}),
        (ASKED, {"mode": "full"}),
        (ASKED, {"gsd_m": "native"}),
    ],
)
def test_otherwise_windows_have_the_images_own_resolution(engine, scene, question, options):
    assert segment(engine, scene, question, **options).tiling.grid == (WIDTH, HEIGHT)


def test_a_number_overrules_the_table(engine, scene):
    assert segment(engine, scene, ASKED, gsd_m=0.5).tiling.grid == (WIDTH // 2, HEIGHT // 2)


def test_windows_are_at_least_twice_as_fine_as_the_overview(engine, scene):
    assert segment(engine, scene, "cities").tiling.grid == (WIDTH // 4, HEIGHT // 4)  # 100 m / 32 would be 12 px


def test_an_image_without_a_size_on_the_ground_is_looked_at_as_it_is(engine, tmp_path):
    image = written(tmp_path / "b.tif")
    assert segment(engine, image, ASKED).tiling.grid == (WIDTH, HEIGHT)


def test_a_replay_chooses_the_same(engine, scene):
    record = segment(engine, scene, ASKED)
    again = replay(engine, record.id)
    assert again.first_difference is None
    assert engine.store.load(again.result_id).tiling == record.tiling


def test_two_dates_are_compared_in_full_resolution(engine, scene):
    found = change(engine, scene, scene, ASKED)
    assert {found.before.tiling.grid, found.after.tiling.grid} == {(WIDTH, HEIGHT)}


def test_a_table_of_ones_own_is_used(engine, scene, tmp_path):
    own = tmp_path / "sizes.toml"
    own.write_text('[[size]]\nwords = ["lake"]\nside_m = 16\n', encoding="utf-8")
    engine.settings = engine.settings.model_copy(update={"sizes_file": own})
    assert segment(engine, scene, ASKED).tiling.grid == (WIDTH // 2, HEIGHT // 2)


@pytest.mark.parametrize("gsd_m", ["nativ", "", 0, -1.0, float("nan"), float("inf"), 1e300, "0"])
def test_what_is_no_resolution_is_refused(gsd_m):
    with pytest.raises(T2SError, match="gsd_m"):
        checked_gsd(gsd_m)


def test_metres_of_an_image_without_a_size_on_the_ground_are_refused_before_a_model_is_asked(engine, tmp_path):
    steps = []
    with pytest.raises(T2SError, match="no size on the ground"):
        segment(engine, written(tmp_path / "plain.png.tif"), ASKED, gsd_m=2, progress=steps.append)
    assert not [step for step in steps if step.startswith("asking")]


def test_a_resolution_may_be_text():
    assert checked_gsd("0.5") == 0.5
    assert checked_gsd("native") == "native"
    assert checked_gsd(None) is None
