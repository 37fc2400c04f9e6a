"""Every setting of a refinement comes back from its record; metres and degrees on an image without a place on Earth."""

import json
from dataclasses import fields

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Refinement, describe, refine, replay, segment
from t2s_agent.pipeline.refinement import given_in, refinement_of
from t2s_agent.regions.order import SORT_BY

TANKS, SHIPS = "Where are the storage tanks?", "ships"
numbers = st.floats(allow_nan=False, allow_infinity=False)
points = st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple)
ids = st.lists(st.integers(1, 500), max_size=3).map(tuple)
refinements = st.builds(
    Refinement,
    instruction=st.text(max_size=10),
    positive=points,
    negative=points,
    box=st.none() | st.tuples(numbers, numbers, numbers, numbers),
    keep=ids,
    drop=ids,
    other=st.text(max_size=10),
    operation=st.sampled_from([None, "union", "intersection", "difference"]),
    within_m=st.none() | st.just(0.0) | numbers,
    beyond_m=st.none() | st.just(0.0) | numbers,
    min_area_m2=numbers,
    max_area_m2=st.none() | st.just(0.0) | numbers,
    min_length_m=numbers,
    max_length_m=st.none() | st.just(0.0) | numbers,
    smooth_m=numbers,
    min_probability=numbers,
    sort_by=st.sampled_from(["", *SORT_BY]),
    descending=st.booleans(),
    first=st.integers(0, 500),
    pixels=st.booleans(),
)


@given(refinements)
def test_a_refinement_comes_back_from_its_record_field_by_field(how):
    recorded = json.loads(json.dumps(given_in(how), allow_nan=False))
    assert refinement_of(recorded) == how


def test_the_law_above_draws_every_field_there_is():
    drawn = {"instruction", "positive", "negative", "box", "keep", "drop", "other", "operation", "within_m", "beyond_m"}
    drawn |= {"min_area_m2", "max_area_m2", "min_length_m", "max_length_m", "smooth_m", "min_probability"}
    assert {field.name for field in fields(Refinement)} == drawn | {"sort_by", "descending", "first", "pixels"}


@pytest.mark.parametrize(
    "how",
    [
        {"within_m": 0.0},
        {"within_m": 40.0, "smooth_m": 0.5},
        {"operation": "difference"},
    ],
)
def test_what_was_done_with_another_result_is_done_again(engine, scene, how):
    tanks, ships = segment(engine, scene, TANKS), segment(engine, scene, SHIPS)
    made = refine(engine, tanks.id, Refinement(other=ships.id, **how))
    assert made.parameters == {"other": ships.id, **how}
    assert replay(engine, made.id).first_difference is None


def test_a_record_of_an_earlier_build_that_lost_a_distance_of_0_is_done_again(engine, scene):
    tanks, ships = segment(engine, scene, TANKS), segment(engine, scene, SHIPS)
    made = refine(engine, tanks.id, Refinement(other=ships.id, within_m=0.0))
    record = engine.store.folder / made.id / "record.json"
    old = json.loads(record.read_text())
    del old["parameters"]["within_m"]
    record.write_text(json.dumps(old))
    assert replay(engine, made.id).first_difference is None


@pytest.mark.parametrize(
    "options", [{}, {"bands": "3,2,1"}, {"merge": "union"}, {"min_area_m2": 0.0}, {"min_area_m2": 900.5}]
)
def test_every_setting_of_a_question_is_asked_again(engine, scene, options):
    made = segment(engine, scene, TANKS, **options)
    assert replay(engine, made.id).first_difference is None
    for name, value in options.items():
        assert made.parameters[name] == value


@pytest.fixture(params=["no CRS", "EPSG:4978", "degrees with metres", "local"])
def ignore_not_georeferenced(request, tmp_path):
    """A raster of which the pixels have no place on Earth."""
    crs = {
        "no CRS": None,
        "EPSG:4978": CRS.from_epsg(4978),
        "degrees with metres": CRS.from_epsg(4326),
        "local": CRS.from_user_input('LOCAL_CS["site",UNIT["metre",1]]'),
    }[request.param]
    place = {} if crs is None else {"crs": crs, "transform": Affine(0.5, 0, 600_000, 0, -0.5, 5_750_000)}
    path = tmp_path / "ignore_not_georeferenced.tif"
    with rasterio.open(path, "w", driver="GTiff", width=640, height=640, count=3, dtype="uint8", **place) as file:
        file.write(np.full((3, 640, 640), 90, np.uint8))
    return path


def test_without_a_place_on_earth_nothing_stands_under_metres_or_degrees(engine, ignore_not_georeferenced):
    made = segment(engine, ignore_not_georeferenced, TANKS, min_area_m2=10)
    assert (made.located, made.unit_area, made.unit_length, made.scene.gsd_m) == (False, "px2", "px", None)
    assert any("measures are in pixels" in warning for warning in made.warnings)
    assert any("min_area_m2 = 10 was read as square pixels" in warning for warning in made.warnings)
    said = describe(engine, result_id=made.id, region_id=1).measured
    assert said["area_px2"] > 0
    assert not any(name.endswith(("_m", "_m2", "_lonlat")) for name in said if name not in ("gsd_m", "view_gsd_m"))
    near = refine(engine, made.id, Refinement(other=made.id, within_m=3.0))
    assert any("within_m = 3 was read as pixels" in warning for warning in near.warnings)


def test_degrees_on_an_image_without_a_place_are_refused_and_pixels_are_not(engine, ignore_not_georeferenced):
    with pytest.raises(T2SError) as caught:
        segment(engine, ignore_not_georeferenced, TANKS, bbox=(4.0, 51.0, 4.1, 51.1))
    assert caught.value.code == "no_georeference"
    made = segment(engine, ignore_not_georeferenced, TANKS)
    for how in ({"positive": ((4.35, 51.87),)}, {"negative": ((4.35, 51.87),)}, {"box": (4.0, 51.0, 4.1, 51.1)}):
        with pytest.raises(T2SError) as caught:
            refine(engine, made.id, Refinement(**how))
        assert caught.value.code == "no_georeference"
    more = refine(engine, made.id, Refinement(box=(500, 500, 520, 520), pixels=True))
    assert len(more.regions) == len(made.regions) + 1
