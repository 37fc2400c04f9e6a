"""The summary of an archive: what is counted together, and what is not."""

import pytest

from t2s_agent.batch.ledger import Line
from t2s_agent.batch.summary import summed


def line(scene, **fields):
    given = {"question_id": "tanks", "question": "Where?", "status": "found", "unit": "m2", "regions": 2, "area": 10.1}
    row = {"id": f"{scene} {fields.get('question', '')} {fields.get('attempt', 1)}", "scene": scene, "image": scene}
    return Line(**row | given | {"area_pm": 1.0} | fields)


def test_pixels_and_square_metres_are_two_totals():
    summary = summed([line("a"), line("b"), line("flat", unit="px2", area=500.0)])
    assert [(each.unit, each.rows, each.regions, each.area) for each in summary.totals] == [
        ("m2", 2, 4, 20.2),
        ("px2", 1, 2, 500.0),
    ]
    assert summary.totals[0].area_pm == 2.0


def test_each_question_has_its_own_total():
    summary = summed([line("a"), line("a", question="Ships?", question_id="ships", area=3.0)])
    assert [(each.question_id, each.area) for each in summary.totals] == [("tanks", 10.1), ("ships", 3.0)]
    assert (summary.rows, summary.scenes) == (2, 1)


def test_a_row_that_failed_is_in_no_total_and_an_empty_one_is():
    empty = {"status": "empty", "regions": 0, "area": 0.0, "area_pm": 0.0}
    failed = {"status": "failed", "code": "image_unreadable", "unit": "", "regions": 0, "area": 0.0}
    summary = summed([line("a"), line("b", **empty), line("c", **failed)])
    assert summary.totals[0].rows == 2
    assert summary.by_status == {"empty": 1, "failed": 1, "found": 1}
    assert summary.failed_by_code == {"image_unreadable": 1}


def test_a_scene_that_changed_counts_once_in_the_areas():
    summary = summed([line("a"), line("a", attempt=2, area=7.0)])
    assert (summary.rows, summary.scenes, summary.earlier_versions) == (2, 1, 1)
    assert [(each.rows, each.area) for each in summary.totals] == [(1, 7.0)]


def test_partly_for_want_of_resolution_is_not_unfinished():
    windows = {"status": "partly", "windows_left": 3, "not_looked_at": 0.5}
    summary = summed([line("a", **windows), line("b", **windows, code="image_unreadable"), line("c", status="partly")])
    assert summary.by_status == {"partly": 3}
    assert (summary.unfinished, summary.unfinished_by_code) == (2, {"image_unreadable": 1})
    assert summary.totals[0].share_not_looked_at == pytest.approx(1 / 3, abs=1e-4)


def test_parts_are_counted_by_their_folder():
    summary = summed([line("a", part="parts/1"), line("b", part="parts/1"), line("c", part="parts_pixels/2")])
    assert summary.parts == {"parts": 1, "parts_pixels": 1}
    assert summed([line("a")]).parts == {}
