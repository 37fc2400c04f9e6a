"""Boxes and footprints across 180 degrees."""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.batch.antimeridian import Footprint, boxes_of
from t2s_agent.errors import T2SError

FIJI = (175.0, -20.0, -175.0, -15.0)
NAIVE = shapely.Polygon(
    [(178, -18), (-178, -18), (-178, -16), (178, -16)]
)  # the long way round, as many items are written


def test_a_box_that_crosses_is_cut_in_two():
    assert boxes_of(*FIJI) == [(175, -20, 180, -15), (-180, -20, -175, -15)]
    assert boxes_of(175, -20, 185, -15) == boxes_of(*FIJI)
    assert boxes_of(-185, -20, -175, -15) == boxes_of(*FIJI)
    assert boxes_of(-10, 0, 10, 5) == [(-10, 0, 10, 5)]
    assert boxes_of(-180, -90, 180, 90) == [(-180, -90, 180, 90)]
    assert boxes_of(180, 0, -170, 5) == [(-180, 0, -170, 5)]


@pytest.mark.parametrize(
    "box", [(0, 5, 10, 0), (0, 0, float("nan"), 5), (0, -91, 1, 5), (0, 0, 400, 5), (-300, 0, 300, 5)]
)
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(T2SError) as error:
        boxes_of(*box)
    assert error.value.code == "bbox_invalid"


@pytest.mark.parametrize(
    "geometry",
    [
        NAIVE,
        shapely.Polygon([(178, -18), (182, -18), (182, -16), (178, -16)]),
        shapely.MultiPolygon([shapely.box(178, -18, 180, -16), shapely.box(-180, -18, -178, -16)]),
        shapely.Polygon([(-178, -18), (-178, -16), (-182, -16), (-182, -18)]),
    ],
)
def test_a_scene_across_180_degrees_is_found_on_both_sides_and_nowhere_else(geometry):
    footprint = Footprint.of(geometry)
    assert footprint.area.area == pytest.approx(8.0)
    assert footprint.meets(boxes_of(*FIJI))
    assert footprint.meets(boxes_of(179, -17, 179.5, -16.5))
    assert footprint.meets(boxes_of(-179.5, -17, -179, -16.5))
    assert not footprint.meets(boxes_of(-170, -20, 170, -15))


def test_a_scene_far_away_is_not_found_by_a_box_that_crosses():
    assert not Footprint.of(shapely.box(4, 51, 5, 52)).meets(boxes_of(170, -60, -170, 60))


def test_the_whole_globe_stays_whole():
    assert Footprint.of(shapely.box(-180, -90, 180, 90)).area.area == pytest.approx(360 * 180)


@given(west=st.floats(-180, 179), width=st.floats(0.1, 60), at=st.floats(0.01, 0.99))
def test_a_point_in_a_narrow_scene_is_in_its_footprint_wherever_it_is(west, width, at):
    def lon(value):
        return (value + 180) % 360 - 180

    scene = Footprint.of_box(lon(west), 0, lon(west + width), 1)
    x = lon(west + at * width)
    assert scene.meets(boxes_of(x, 0.5, x, 0.5))
    away = lon(west + width + (360 - width) * at)
    if min((away - west) % 360, (west + width - away) % 360) > 1e-6 and (away - west) % 360 > width + 1e-6:
        assert not scene.meets(boxes_of(away, 0.5, away, 0.5))
