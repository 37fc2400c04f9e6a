"""A result of any size is filtered part by part, with the answer that a small one gives."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from evals.tiling.boxes import BoxModels, BoxPrompter
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, Refinement, loading, refine, replay, segment
from t2s_agent.regions.raster import read_mask
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.settings import load_settings

WIDTH, HEIGHT, SIDE = 400, 300, 96
BOXES = np.array(
    [(x, y, x + 6 + x % 11, y + 5 + y % 9) for x in range(3, 380, 26) for y in range(5, 280, 23)]
    + [(180, 136, 390, 140)],
    float,
)


def written(path, **place):
    profile = {"width": WIDTH, "height": HEIGHT, "count": 3, "dtype": "uint8", **place}
    with rasterio.open(path, "w", driver="GTiff", **profile) as file:
        file.write(np.random.default_rng(0).integers(1, 255, (3, HEIGHT, WIDTH), np.uint8))
    return path


@pytest.fixture
def engine(tmp_path):
    settings = load_settings(store=tmp_path / "store", segmenter="box", max_size=SIDE)
    opened = Engine.open(settings)
    opened.models = BoxModels(settings, BoxPrompter(BOXES))
    return opened


@pytest.fixture
def scene(tmp_path):
    return written(tmp_path / "a.tif", crs="EPSG:32631", transform=Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000))


@pytest.fixture
def in_parts(monkeypatch):
    """From now on every result counts as large."""
    return lambda: monkeypatch.setattr(loading, "MOST_REGIONS_HELD", 1)


def stored(engine, record):
    return list(StoredRegions(engine.store.artifact(record.id, "regions.geojson")))


def facts(region):
    names = (
        "id",
        "was",
        "label",
        "score",
        "area",
        "perimeter",
        "length",
        "width",
        "centroid",
        "bbox",
        "parts",
        "seams",
    )
    return [getattr(region, name) for name in names] + [region.overlaps, region.sources, region.touches_edge]


HOWS = [
    Refinement(keep=(1, 2, 30, 31)),
    Refinement(drop=(1, 17)),
    Refinement(min_area_m2=20.0),
    Refinement(min_area_m2=15.0, max_area_m2=30.0, min_length_m=6.0, max_length_m=7.0),
    Refinement(sort_by="area", descending=True, first=7),
    Refinement(sort_by="lon", drop=(4,)),
    Refinement(sort_by="lat", descending=True),
    Refinement(sort_by="orientation"),
    Refinement(sort_by="compactness", first=40),
    Refinement(min_probability=0.5),  # nothing is known: all stay
    Refinement(instruction="only the three largest"),
    Refinement(instruction="larger than 20 m2", drop=(2,), sort_by="width", first=5),
    Refinement(min_area_m2=1e6),  # nothing is left
]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("mode", ["full", "overview"])
def test_the_answer_is_that_of_a_small_result(engine, scene, in_parts, how, mode):
    parent = segment(engine, scene, "things", mode=mode)
    small = refine(engine, parent.id, how)
    in_parts()
    large = refine(engine, parent.id, how)
    assert [facts(region) for region in stored(engine, large)] == [facts(region) for region in stored(engine, small)]
    both = [np.asarray(read_mask(engine.store.artifact(each.id, "mask.tif"))) for each in (small, large)]
    assert np.array_equal(*both)
    same = (
        "status", "query", "operation", "parameters", "left_out", "warnings", "mask_sha256", "region_count", "tiling", "method",
        "scene", "parents", "pm_level", "prompted", "count_low",
    )  # fmt: skip
    assert {name: getattr(large, name) for name in same} == {name: getattr(small, name) for name in same}
    assert large.total_area == pytest.approx(small.total_area, abs=0.01 * len(BOXES))


def test_without_a_place_sizes_are_pixels(engine, tmp_path, in_parts):
    parent = segment(engine, written(tmp_path / "b.tif"), "things", mode="full")
    how = Refinement(min_area_m2=90.0, sort_by="y")
    small = refine(engine, parent.id, how)
    in_parts()
    large = refine(engine, parent.id, how)
    assert [facts(region) for region in stored(engine, large)] == [facts(region) for region in stored(engine, small)]
    assert (large.warnings, large.scene) == (small.warnings, small.scene)


def test_what_is_left_can_be_corrected_where_it_is_small_enough(engine, scene, in_parts, monkeypatch):
    parent = segment(engine, scene, "things", mode="full")
    in_parts()
    few = refine(engine, parent.id, Refinement(sort_by="area", descending=True, first=3))
    monkeypatch.setattr(loading, "MOST_REGIONS_HELD", 20_000)
    more = refine(engine, few.id, Refinement(box=(200.0, 20.0, 220.0, 60.0), pixels=True))
    assert more.region_count == 4


def test_a_filter_of_a_filter_and_a_replay(engine, scene, in_parts):
    parent = segment(engine, scene, "things", mode="full")
    in_parts()
    first = refine(engine, parent.id, Refinement(min_area_m2=20.0))
    second = refine(engine, first.id, Refinement(sort_by="area", first=2))
    assert second.parents == (first.id,)
    assert replay(engine, second.id).first_difference is None


def test_an_image_that_is_another_is_noticed(engine, scene, in_parts):
    parent = segment(engine, scene, "things", mode="full")
    in_parts()
    with rasterio.open(scene, "r+") as file:
        file.write(np.zeros((3, HEIGHT, WIDTH), np.uint8))
    with pytest.raises(T2SError, match="no longer the image"):
        refine(engine, parent.id, Refinement(keep=(1,)))


@pytest.mark.parametrize(
    ("how", "named"),
    [
        (Refinement(instruction="only the red ones"), "an instruction for a model"),
        (Refinement(positive=((1.0, 1.0),), pixels=True), "points or a box"),
        (Refinement(smooth_m=2.0), "smooth_m"),
    ],
)
def test_what_needs_all_of_it_is_refused_and_what_works_is_said(engine, scene, in_parts, how, named):
    parent = segment(engine, scene, "things", mode="full")
    in_parts()
    with pytest.raises(T2SError, match=named) as raised:
        refine(engine, parent.id, how)
    assert raised.value.code == "limit_exceeded"
    assert "Filter by ids" in raised.value.fix


def test_an_unknown_id_is_named(engine, scene, in_parts):
    parent = segment(engine, scene, "things", mode="full")
    in_parts()
    with pytest.raises(T2SError, match="no region 9999"):
        refine(engine, parent.id, Refinement(keep=(9999,)))
