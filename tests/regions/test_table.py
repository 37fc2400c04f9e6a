"""Regions as rows of plain values under names with units."""

import pytest
from views.data import cropped, mask_of, view_of

from t2s_agent.errors import T2SError
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.region import Measure
from t2s_agent.regions.relations import Nearest
from t2s_agent.regions.table import COLUMNS, require_columns, table_of
from t2s_agent.regions.units import METRES, PIXELS


def two(crs=32633):
    view = view_of(crs=crs)
    return build_regions(cropped([mask_of(view, 5, 5, 25, 15), mask_of(view, 40, 0, 50, 10)]), view).regions


def test_by_default_a_row_is_id_area_plus_minus_and_position():
    table = table_of(two(None), units=PIXELS)
    assert table.columns == ("id", "area_px2", "pm", "x_px", "y_px")
    assert table.rows == ((1, 200, pytest.approx(30, rel=0.01), 15, 10), (2, 100, pytest.approx(20, rel=0.01), 45, 5))
    assert table.total == 2


def test_on_earth_the_units_are_metres_and_the_place_is_in_degrees():
    table = table_of(two(), units=METRES, columns=("length", "width", "perimeter"))
    assert table.columns == (
        "id", "area_m2", "pm", "lon", "lat", "length_m", "length_pm", "width_m", "width_pm", "perimeter_m", "perimeter_pm",
    )  # fmt: skip
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["area_m2"], row["pm"]) == (pytest.approx(50, rel=2e-3), pytest.approx(7.5, rel=0.01))
    assert (row["length_m"], row["width_m"]) == (pytest.approx(10, rel=0.01), pytest.approx(5, rel=0.01))
    assert row["perimeter_m"] == pytest.approx(30, rel=0.01)
    assert 0 < row["length_pm"] <= 0.5


def test_a_box_an_edge_and_the_parts_are_those_of_the_region():
    table = table_of(two(None), units=PIXELS, columns=("bbox", "edge", "parts"))
    assert table.columns[5:] == ("x1", "y1", "x2", "y2", "edge", "parts")
    assert [row[5:] for row in table.rows] == [(5, 5, 25, 15, False, 1), (40, 0, 50, 10, True, 1)]


def test_every_column_that_is_offered_can_be_asked_for_once():
    for name in COLUMNS:
        known = {1: Nearest(1, 9, Measure(3.0, 0.5, "m"))} if name == "nearest" else None
        table = table_of(two(), units=METRES, columns=(name, name), nearest=known)
        assert len(set(table.columns)) == len(table.columns)
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_the_nearest_column_has_distance_and_id_where_they_are_known():
    table = table_of(two(), units=METRES, nearest={2: Nearest(2, 9, Measure(3.0, 0.5, "m"))})
    assert table.columns[5:] == ("nearest_m", "nearest_pm", "nearest_id")
    assert [row[5:] for row in table.rows] == [(None, None, None), (3.0, 0.5, 9)]


def test_rows_are_sorted_and_cut_and_the_total_stays():
    table = table_of(two(), units=METRES, sort_by="area", first=1)
    assert ([row[0] for row in table.rows], table.total) == ([2], 2)


@pytest.mark.parametrize("wrong", [{"columns": ("beauty",)}, {"columns": ("nearest",)}, {"sort_by": "nearest"}])
def test_an_unknown_column_and_nearest_without_another_result_are_refused(wrong):
    with pytest.raises(T2SError) as caught:
        table_of(two(), units=METRES, **wrong)
    assert caught.value.code == "argument_invalid"
    require_columns(COLUMNS)
