"""Two parts of one place are asked alike where they are shown with one stretch."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from evals.tiling.boxes import BoxModels, BoxPrompter
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, Refinement, describe, refine, replay, segment, view_of
from t2s_agent.settings import load_settings

SIDE, WIDTH, HEIGHT = 96, 400, 120  # px; a half is 200 px wide, and is looked at in windows by `mode` full
LEFT = np.array([(20, 20, 40, 30), (60, 50, 160, 90)], float)
RIGHT = np.array([(230, 10, 260, 40), (300, 60, 390, 70)], float)
THINGS = "things"


@pytest.fixture
def images(tmp_path):
    """A dark and a bright half, and the whole; 65535 is fill that no tag declares."""
    rng = np.random.default_rng(0)
    values = rng.integers(100, 3000, (3, HEIGHT, WIDTH)).astype(np.uint16)
    values[:, :, WIDTH // 2 :] *= 4
    values[:, :20, 180:220] = 65535
    files = {"whole": (0, WIDTH), "left": (0, WIDTH // 2), "right": (WIDTH // 2, WIDTH)}
    for name, (begin, end) in files.items():
        profile = {"width": end - begin, "height": HEIGHT, "count": 3, "dtype": "uint16", "crs": "EPSG:32631"}
        place = Affine(0.5, 0, 500_000 + begin / 2, 0, -0.5, 5_000_000)
        with rasterio.open(tmp_path / f"{name}.tif", "w", driver="GTiff", transform=place, **profile) as file:
            file.write(values[:, :, begin:end])
    return tmp_path


def engine_for(folder, boxes, side=1024):
    settings = load_settings(store=folder / "store", segmenter="box", max_size=side)
    engine = Engine.open(settings)
    engine.models = BoxModels(settings, BoxPrompter(boxes))
    return engine


def asked(images, name, stretch, **options):
    boxes = {"whole": np.vstack([LEFT, RIGHT]), "left": LEFT, "right": RIGHT - (200, 0, 200, 0)}[name]
    engine = engine_for(images, boxes, options.pop("side", 1024))
    return engine, segment(engine, images / f"{name}.tif", THINGS, stretch=stretch, **options)


def places(record):
    return {(region.centroid, region.area) for region in record.regions}


def named(images, kind):
    if kind == "result":
        return asked(images, "whole", None)[1].id
    return {"range": "200:9000", "ranges": "100:9000,200:8000,300:7000", "image": str(images / "whole.tif")}[kind]


@pytest.mark.parametrize("kind", ["range", "ranges", "image", "result"])
def test_two_halves_have_the_pixels_and_regions_of_the_whole(images, kind):
    stretch = named(images, kind)
    engine, whole = asked(images, "whole", stretch)
    shown = view_of(engine, whole).rgb
    halves = [asked(images, side, stretch) for side in ("left", "right")]
    assert np.array_equal(np.hstack([view_of(*half).rgb for half in halves]), shown)
    assert places(halves[0][1]) | places(halves[1][1]) == places(whole)
    assert {half.scene.stretch.words for _, half in halves} == {whole.scene.stretch.words}


def test_without_it_each_half_has_its_own(images):
    engine, whole = asked(images, "whole", None)
    half_engine, half = asked(images, "left", None)
    assert not np.array_equal(view_of(half_engine, half).rgb, view_of(engine, whole).rgb[:, :200])
    assert not half.scene.stretch.named


def test_windows_are_shown_with_it(images):
    stretch = named(images, "image")
    options = {"mode": "full", "side": SIDE}
    engine, whole = asked(images, "whole", stretch, **options)
    assert whole.tiling is not None
    _, small = asked(images, "whole", None)
    assert np.array_equal(view_of(engine, whole).rgb, view_of(engine, small).rgb)
    halves = [asked(images, side, stretch, **options) for side in ("left", "right")]
    assert np.array_equal(np.hstack([view_of(*half).rgb for half in halves]), view_of(engine, whole).rgb)
    assert places(halves[0][1]) | places(halves[1][1]) == places(whole)


def test_another_stretch_is_another_question_to_a_large_scene(images):
    options = {"mode": "full", "side": SIDE, "max_windows": 2}
    engine, first = asked(images, "whole", "100:9000", **options)
    second = segment(engine, images / "whole.tif", THINGS, stretch="100:500", mode="full", max_windows=2)
    assert first.scene.pixels_sha256 != second.scene.pixels_sha256  # nothing was taken from the first


def test_refine_and_replay_use_it_again(images):
    engine, record = asked(images, "left", "200:9000")
    smaller = refine(engine, record.id, Refinement(keep=(1,)))
    assert smaller.scene.stretch == record.scene.stretch
    assert view_of(engine, smaller).digest() == record.scene.pixels_sha256
    assert replay(engine, record.id).first_difference is None


def test_a_replay_needs_nothing_but_the_record(images):
    stretch = named(images, "image")
    engine, record = asked(images, "left", stretch)
    (images / "whole.tif").unlink()
    again = replay(engine, record.id)
    assert again.first_difference is None
    assert engine.store.load(again.result_id).parameters["stretch"] == record.id


def test_facts_say_the_stretch_in_words_that_name_it(images):
    engine, record = asked(images, "left", "200:9000")
    assert describe(engine, result_id=record.id).measured["stretch"] == "200:9000 (named)"
    own = describe(engine, image=images / "whole.tif").measured["stretch"]
    again = segment(engine, images / "whole.tif", THINGS, stretch=own)
    assert again.scene.stretch.words == own
    assert record.parameters["stretch"] == "200:9000"


@pytest.mark.parametrize(
    ("stretch", "code", "why"),
    [
        ("3000:200", "argument_invalid", "not below"),
        ("-9:0", "argument_invalid", "no value of band 1"),
        ("r_00000000", "result_unknown", "r_00000000"),
        ("nowhere.tif", "image_not_found", "nowhere"),
    ],
)
def test_a_stretch_that_cannot_be_is_refused_before_a_model_is_asked(images, stretch, code, why):
    engine = engine_for(images, LEFT)
    with pytest.raises(T2SError, match=why) as raised:
        segment(engine, images / "left.tif", THINGS, stretch=stretch)
    assert raised.value.code == code
    assert engine.models.prompter().asked == 0


def test_a_signature_is_not_kept(images):
    from t2s_agent.pipeline.stretching import recorded

    assert recorded("https://host.example/a.tif?sig=secret") == "https://host.example/a.tif"
    assert recorded("200:3000") == "200:3000"
    assert recorded("") is None


@pytest.mark.parametrize("stretch", ["100:9000,200:8000,300:7000", "1:2,1:2,1:3"])
def test_one_band_is_not_tinted_by_the_ranges_of_three(images, stretch):
    with pytest.raises(T2SError, match="as grey") as raised:
        asked(images, "left", stretch, bands="1")
    assert raised.value.code == "argument_invalid"
    assert asked(images, "left", "200:9000", bands="1")[1].scene.stretch.words == "200:9000"


def test_the_stretch_of_an_image_without_data_is_refused(images):
    with rasterio.open(
        images / "empty.tif", "w", driver="GTiff", width=64, height=64, count=3, dtype="float32"
    ) as file:
        file.write(np.full((3, 64, 64), np.nan, np.float32))
    with pytest.raises(T2SError, match=r"empty\.tif has no pixel with data"):
        asked(images, "left", str(images / "empty.tif"))
