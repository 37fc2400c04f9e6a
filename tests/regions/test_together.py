"""Values computed for all regions together equal those computed one by one."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from views.data import HALF_A_METRE, view_of

from t2s_agent.regions.boundary import boundaries_of, boundary_of
from t2s_agent.regions.measure import area_m2, areas_m2, perimeter_on_ground, perimeters_on_ground
from t2s_agent.regions.plane import centroid_of, centroids_of
from t2s_agent.regions.polygons import simplified, simplified_all, to_lonlat, to_lonlat_all, traced_all

PLACES = {
    "UTM": (HALF_A_METRE, 32633),
    "degrees": (Affine(1e-4, 0, 15, 0, -1e-4, 50), 4326),
    "across 180 degrees": (Affine(0.01, 0, 179.8, 0, -0.01, 10), 4326),
    "at the north pole": (Affine(5_000, 0, -150_000, 0, -5_000, 100_000), 3413),
    "Mercator": (Affine(1, 0, 0, 0, -1, 8_399_738), 3857),
}


@st.composite
def outlines(draw):
    """Outlines of some regions with holes and parts in a View of 40 x 60 px."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.zeros((40, 60), np.int32)
    y, x = np.mgrid[:40, :60]
    for value in range(1, draw(st.integers(2, 6))):
        inside = np.hypot(x - rng.integers(60), y - rng.integers(40)) < rng.uniform(1, 15)
        labels[inside & (rng.random(labels.shape) > 0.05)] = value
    return list(traced_all(labels).values())


@pytest.mark.parametrize("place", PLACES)
@settings(deadline=None, max_examples=15)
@given(drawn=outlines())
def test_outlines_on_the_ground(place, drawn):
    transform, crs = PLACES[place]
    where = view_of(transform=transform, crs=crs).georeference
    decimals = [7 if index % 2 else 5 for index in range(len(drawn))]
    for together, number in ((to_lonlat_all(drawn, where, decimals), decimals), (to_lonlat_all(drawn, where), None)):
        for index, outline in enumerate(drawn):
            alone = to_lonlat(outline, where, number and number[index])
            assert shapely.equals_exact(together[index], alone, 1e-12)


@pytest.mark.parametrize("place", PLACES)
@settings(deadline=None, max_examples=10)
@given(drawn=outlines())
def test_measures(place, drawn):
    transform, crs = PLACES[place]
    where = view_of(transform=transform, crs=crs).georeference
    ground = to_lonlat_all(drawn, where)
    areas = areas_m2(ground)
    assert areas == pytest.approx([area_m2(each) for each in ground], rel=1e-9)
    pixels = np.sqrt(areas / shapely.area(drawn))
    perimeters = perimeters_on_ground(boundaries_of(drawn), where, pixels)
    for outline, pixel, found in zip(drawn, pixels, perimeters, strict=True):
        alone = perimeter_on_ground(boundary_of(outline), where, pixel)
        assert (found.value, found.plus_minus) == pytest.approx((alone.value, alone.plus_minus), rel=1e-9)
    for area, pixel, centre in zip(ground, pixels, centroids_of(ground, pixels), strict=True):
        alone = centroid_of(area)
        off = np.radians([(centre.x - alone.x) * np.cos(np.radians(alone.y)), centre.y - alone.y]) * 6_371_000
        assert np.hypot(*off) < pixel / 50


@settings(deadline=None)
@given(drawn=outlines())
def test_boundaries_and_simpler_outlines(drawn):
    for outline, simple, found in zip(drawn, simplified_all(drawn), boundaries_of(drawn), strict=True):
        if not any(outline.touches(other) for other in drawn if other is not outline):
            assert shapely.equals_exact(simple, simplified(outline))
        alone = boundary_of(outline)
        assert found.rings == alone.rings
        for name in ("corners", "following", "bend", "shift"):
            assert (getattr(found, name) == getattr(alone, name)).all()


def test_no_outlines_give_no_results():
    where = view_of().georeference
    assert to_lonlat_all([], where) == perimeters_on_ground([], where, []) == []
