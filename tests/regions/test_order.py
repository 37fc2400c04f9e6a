"""Positions of regions in the order of a measure."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box
from views.data import region_of

from t2s_agent.errors import T2SError
from t2s_agent.regions.order import SORT_BY, from_middle, ordered
from t2s_agent.regions.region import Measure
from t2s_agent.regions.units import PIXELS

AREAS, LENGTHS = (30.0, 10.0, 20.0, 10.0), (1.0, None, 3.0, 2.0)


def four():
    return [
        replace(
            region_of(id_, box(0, 0, 1, 1)),
            area=Measure(area, 1, "m2"),
            length=None if length is None else Measure(length, 0.1, "m"),
            centroid=(lon, lat),
        )
        for id_, area, length, lon, lat in zip(
            (7, 8, 9, 10), AREAS, LENGTHS, (179.0, -179.0, 178.0, -178.0), (4, 3, 2, 1), strict=True
        )
    ]


@pytest.mark.parametrize(
    ("sort_by", "more", "order"),
    [
        ("", {}, [0, 1, 2, 3]),
        ("", {"first": 2}, [0, 1]),
        ("area", {}, [1, 3, 2, 0]),  # of equal ones the one that stands first
        ("area", {"descending": True}, [0, 2, 1, 3]),
        ("area", {"descending": True, "first": 1}, [0]),
        ("length", {}, [0, 3, 2, 1]),  # without a length: last
        ("length", {"descending": True}, [2, 3, 0, 1]),
        ("score", {}, [0, 1, 2, 3]),
        ("lat", {}, [3, 2, 1, 0]),
        ("lon", {}, [2, 0, 1, 3]),  # 178, 179, 181, 182 degrees east
        ("id", {"descending": True}, [3, 2, 1, 0]),
        ("nearest", {"distances": {8: 5.0, 10: 1.0}}, [3, 1, 0, 2]),
        ("y", {"units": PIXELS}, [3, 2, 1, 0]),
        ("x", {"units": PIXELS}, [1, 3, 2, 0]),
    ],
)
def test_regions_stand_in_the_order_that_is_asked_for(sort_by, more, order):
    assert ordered(four(), sort_by, **more) == order


@pytest.mark.parametrize(
    ("sort_by", "more", "code"),
    [
        ("beauty", {}, "argument_invalid"),
        ("", {"descending": True}, "argument_invalid"),
        ("area", {"first": -1}, "argument_invalid"),
        ("lon", {"units": PIXELS}, "no_georeference"),
        ("x", {}, "argument_invalid"),
    ],
)
def test_an_unknown_order_is_refused(sort_by, more, code):
    with pytest.raises(T2SError) as caught:
        ordered(four(), sort_by, **more)
    assert caught.value.code == code


@pytest.mark.parametrize("sort_by", [name for name in SORT_BY if name not in ("x", "y")])
def test_every_order_has_each_region_once(sort_by):
    assert sorted(ordered(four(), sort_by)) == [0, 1, 2, 3]
    assert ordered([], sort_by) == []


@given(st.floats(-180, 180), st.lists(st.floats(0, 170), min_size=1, max_size=6))
def test_eastwards_is_eastwards_wherever_the_regions_lie(west, steps):
    lon = (west + np.array(steps) + 180) % 360 - 180
    turned = from_middle(lon)
    assert np.abs(turned).max() <= 180
    assert turned - turned[0] == pytest.approx(np.array(steps) - steps[0], abs=1e-6)
