"""The tool that corrects, filters and combines results."""

import pytest
from served.data import rows_of
from t2s_agent.tools import describe_region, reason_segment, refine_mask


def test_refining_keeps_what_is_near_and_names_its_parents(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    near = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, within_m=32)
    assert near.total == 1
    assert near.left_out == {"within_m": 1}
    both = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, operation="union")
    assert both.total == 3


def test_a_point_adds_an_object_and_drop_removes_one(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    assert refine_mask(engine, tanks.result_id, drop=[1]).total == 1
    box = describe_region(engine, tanks.result_id, 1).measured["bbox"]
    west, south, east, north = box
    wide = refine_mask(engine, tanks.result_id, box=[east, south, east + (east - west), north])
    assert wide.total == 3


def test_what_was_done_is_said_with_its_values(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(
        engine, tanks.result_id, combine_with=quay.result_id, operation="difference", within_m=50, min_area_m2=10
    )
    other = quay.result_id
    told = describe_region(engine, both.result_id).facts()
    assert told["operation"] == f"difference with {other}; within_m 50 of {other}; min_area_m2 10"
    assert told["parents"] == [tanks.result_id, other]


def test_a_radius_that_smooths_nothing_is_said(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    assert any("smooth_m changed no region" in w for w in refine_mask(engine, tanks.result_id, smooth_m=1e5).warnings)
    assert not any("smooth_m" in w for w in refine_mask(engine, tanks.result_id, drop=[1]).warnings)


def test_the_largest_is_kept_without_a_model_and_what_went_is_counted(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, operation="union")
    one = refine_mask(engine, both.result_id, sort_by="area", descending=True, first=1)
    assert (one.total, one.left_out) == (1, {"first": 2})
    assert one.total_area_m2 == pytest.approx(125, rel=2e-3)
    far = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, beyond_m=32)
    assert [row["was"] for row in rows_of(far.facts())] == [2]
