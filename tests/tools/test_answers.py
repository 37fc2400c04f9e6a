"""What an agent is told: facts, tables within a number of bytes, and remarks."""

import json
from typing import get_args

import pytest
from served.data import rows_of, said, settings_in, stage
from t2s_agent.tools import describe_region, reason_segment, refine_mask
from t2s_agent.tools.answers import TEXT_BYTES, Column, SortBy, size_of, warnings_for_agents

from t2s_agent.pipeline import Engine
from t2s_agent.regions.order import SORT_BY
from t2s_agent.regions.table import COLUMNS
from t2s_agent.scene.not_overhead import REMARKS


def test_facts_hold_only_what_is_known(engine):
    facts = reason_segment(engine, "harbour.tif", "tanks").facts()
    assert facts.pop("warnings") == [REMARKS["blank"]]  # the drawn harbour has no texture
    known = {"status", "result_id", "total", "total_area_m2", "total_pm", "pm_level", "columns", "rows", "thinking"}
    assert facts.keys() == known
    assert facts["pm_level"] == "pixel only: the model's own error is not known"
    assert reason_segment(engine, "harbour.tif", "nothing").facts()["rows"] == []


def test_areas_and_their_plus_minus_are_those_of_the_pixels(engine):
    """A tank of 20 x 20 pixels of half a metre: 100 m2, and half a pixel along a boundary of 40 m is 10 m2."""
    facts = reason_segment(engine, "harbour.tif", "tanks").facts()
    for row in rows_of(facts):
        assert (row["area_m2"], row["pm"]) == (pytest.approx(100, rel=2e-3), pytest.approx(10, rel=0.02))
    assert (facts["total_area_m2"], facts["total_pm"]) == (pytest.approx(200, rel=2e-3), pytest.approx(20, rel=0.02))
    columns = rows_of(
        describe_region(engine, facts["result_id"], detail="regions", columns=["length", "perimeter"]).facts()
    )
    for row in columns:
        assert (row["length_m"], row["perimeter_m"]) == (pytest.approx(10, rel=0.01), pytest.approx(40, rel=0.01))
        assert 0 < row["length_pm"] <= 0.5  # a pixel
        assert 0 < row["perimeter_pm"] <= 4  # a tenth
    measured = describe_region(engine, facts["result_id"], 1).facts()["measured"]
    assert measured["area_pm_m2"] == pytest.approx(10, rel=0.02)


def test_an_answer_lists_at_most_what_was_asked_for_and_says_how_to_go_on(engine):
    answer = reason_segment(engine, "harbour.tif", "many", max_regions=3)
    assert (len(answer.rows), answer.total > 3) == (3, True)
    assert answer.next == f'describe_region(result_id="{answer.result_id}", detail="regions", first_region=4)'


def test_an_answer_fits_its_bytes_however_many_regions_there_are(engine):
    facts = reason_segment(engine, "harbour.tif", "many", max_regions=500).facts()
    assert size_of(facts) <= TEXT_BYTES
    assert len(json.loads(json.dumps(facts))["rows"]) < facts["total"]


def test_labels_stand_in_the_table_where_they_differ_or_are_asked_for(engine, tmp_path):
    assert "label" not in reason_segment(engine, "harbour.tif", "tanks").columns
    assert "label" in reason_segment(engine, "harbour.tif", "tanks", columns=["label"]).columns
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, operation="union")
    assert {row["label"] for row in rows_of(both.facts())} == {"tank", "thing"}


@pytest.mark.parametrize(("count", "most"), [(7, 850), (50, 3_850)])
def test_an_answer_is_less_than_half_as_long_as_it_was(tmp_path, count, most):
    """Bytes at commit 8a55278 for these two questions: 1,698 and 7,702."""
    boxes = [(5 + 11 * (i % 10), 5 + 9 * (i // 10), 13 + 11 * (i % 10), 11 + 9 * (i // 10)) for i in range(count)]
    stage(tmp_path)
    (tmp_path / "script.json").write_text(json.dumps([{"question": "*", "raw": said(boxes)}]), encoding="utf-8")
    answer = reason_segment(Engine.open(settings_in(tmp_path)), "harbour.tif", "small vehicles")
    assert answer.total == count
    assert size_of(answer.facts()) < most


def test_remarks_that_are_alike_are_told_once_and_few_in_all():
    many = [f"instance {i}: its box was clipped to the image" for i in range(1, 9)]
    assert warnings_for_agents(many) == ["instance 1: its box was clipped to the image (and 7 more of the kind)"]
    told = warnings_for_agents([f"{word} is odd" for word in "abcdefgh"])
    assert (len(told), told[-1]) == (6, "and 3 other remarks")


def test_the_tools_offer_the_columns_and_orders_that_the_library_has():
    assert get_args(Column) == COLUMNS
    assert set(get_args(SortBy)) == {"none", *SORT_BY}
