"""Which answers are right, and which class a wrong one falls into."""

from typing import Any

import pytest
from yard.data import scene_of, yard

from evals.chains.questions import AnswerForm, Question
from evals.chains.score import as_number, failure, named_categories, right, sturdy
from evals.chains.truth import Exact, Worked

YARD = Exact(yard())
TANKS = {"things": "tank"}


def question_of(kind="count", truth=None, tools=(), **form):
    return Question(
        id="made", scene="quay", text="?", answer=AnswerForm(kind=kind, **form),
        truth=truth or {"measure": "count", "of": TANKS}, tools=list(tools), **{"class": "counting"},
    )  # fmt: skip


AREA = question_of("number", unit="m2", tolerance=0.01, tools=["reason_segment", "refine_mask"])
TRUE_AREA = 1000.8  # of the three tanks: 1,000 m2 on the map


def found(total=3, **more):
    return {"tool": "reason_segment", "arguments": {"query": "tanks"}, "total": total, **more}


def refined(**more):
    return {"tool": "refine_mask", "arguments": {"result_id": "r_1"}, "total": 2, **more}


def failed(answer, *calls, **more):
    return failure(AREA, Worked(TRUE_AREA), answer, YARD, calls, **more)


@pytest.mark.parametrize("answer", [7, 7.0, "7", "There are 7."])
def test_a_count_is_right_however_it_is_written(answer):
    assert right(question_of(), Worked(7), answer, 0.5)
    assert not right(question_of(), Worked(8), answer, 0.5)


def test_a_text_with_two_numbers_is_no_number():
    assert as_number("7 of 9") is None
    assert as_number("1,234.5 m") == 1234.5
    assert as_number(True) is None


def test_a_number_may_be_off_by_its_tolerance_or_by_its_pixels_whichever_is_more():
    length = question_of("number", unit="m", tolerance=0.01, pixels=1)
    assert right(length, Worked(20.0), 20.4, gsd_m=0.5)
    assert not right(length, Worked(20.0), 20.6, gsd_m=0.5)
    assert right(length, Worked(100.0), 100.9, gsd_m=0.5)
    assert not right(length, Worked(100.0), 101.1, gsd_m=0.5)


def test_positions_may_come_in_any_order_and_must_be_all():
    form = question_of("positions", pixels=2.0)
    places = [[3.0, 45.0], [3.001, 45.0]]
    assert right(form, Worked(places), places[::-1], 0.5)
    assert not right(form, Worked(places), places[:1], 0.5)
    assert not right(form, Worked(places), [places[0], places[0]], 0.5)
    assert right(form, Worked(places), [[3.0, 45.0 + 0.9 / 111_320], places[1]], 0.5)  # 0.9 m: 1.8 px
    assert not right(form, Worked(places), [[3.0, 45.0 + 1.1 / 111_320], places[1]], 0.5)  # 2.2 px


def test_a_right_answer_has_no_class_of_failure_however_it_came_about():
    assert failed(1005) == ""


@pytest.mark.parametrize("answer", [0.1, 4003, 1000.8 / 4046.8564])  # hectares, pixels of half a metre, acres
def test_what_is_right_in_another_unit_is_a_unit_failure(answer):
    assert failed(answer, found(), refined()) == "unit"


def test_no_call_or_an_unknown_tool_or_the_finding_alone_is_a_tool_failure():
    assert failed(1500) == "tool"
    assert failed(1500, {"tool": "measure", "error": "argument_invalid: there is no tool 'measure'."}) == "tool"
    assert failed(1500, found()) == "tool"  # the solution filters too
    assert failed(1500, found(), refined()) != "tool"


def test_a_last_call_refused_for_an_unknown_argument_is_an_argument_name_failure():
    refused = refined(error="argument_invalid: refine_mask has no argument 'distance'. Did you mean within_m?")
    assert failed(1500, found(), refused) == "argument name"
    assert (
        failed(1500, found(), refused, refined()) == "argument value"
    )  # put right; the wrong answer has another cause


def test_a_last_call_refused_for_a_value_or_a_wrong_number_is_an_argument_value_failure():
    assert failed(1500, found(), refined(error="result_unknown: there is no result r_1.")) == "argument value"
    assert failed(1500, found(), refined()) == "argument value"
    assert failed(None, found(), refined(error="result_unknown: there is no result r_1.")) == "argument value"


def test_right_calls_over_wrong_masks_are_a_perception_failure():
    assert failed(1500, found(2), refined()) == "perception"  # one tank was missed
    assert failed(1500, found(total_area_m2=1100), refined()) == "perception"  # all found, drawn 10 % too large
    assert failed(1500, found(total_area_m2=1005), refined()) == "argument value"
    assert failed(None, found(error="answer_unparsable: the model wrote no JSON."), refined()) == "perception"


def test_a_wrong_query_is_not_blamed_on_perception():
    assert failed(1500, found(0, arguments={"query": "round white things"}), refined()) == "argument value"
    assert failed(1500, found(1, arguments={"query": "tanks", "bbox": [1, 2, 3, 4]}), refined()) == "argument value"


def test_a_scripted_solution_calls_rightly_so_what_fails_is_perception():
    assert failed(1500, found(), refined(), scripted=True) == "perception"
    assert failed(None, found(), scripted=True) == "perception"


def test_without_tools_a_wrong_answer_is_perception_and_none_is_none():
    assert failed(1500, pictures_only=True) == "perception"
    assert failed("", pictures_only=True) == "no answer"
    assert failed(None, found(), refined()) == "no answer"


def test_a_question_that_hangs_on_half_a_pixel_is_found():
    near: dict[str, Any] = {
        "measure": "count",
        "of": {"things": "tank", "within": {"metres": 20.1, "of": {"things": "shed"}}},
    }
    assert sturdy(question_of(truth=near), YARD)
    near["of"]["within"]["metres"] = 60
    assert not sturdy(question_of(truth=near), YARD)


def test_a_tie_for_the_first_place_is_found():
    twins = Exact(scene_of(("tank", 100, 100, 120, 120), ("tank", 300, 100, 320, 120)))
    first = {"measure": "position", "of": {"things": "tank", "first": {"count": 1, "by": "area"}}}
    assert sturdy(question_of("position", first, pixels=2), twins)


def test_a_category_is_named_in_singular_or_plural_or_by_its_last_word():
    categories = ("basketball court", "ship", "storage tank", "tennis court")
    assert named_categories("All the storage tanks", categories) == ["storage tank"]
    assert named_categories("which tank, which ship?", categories) == ["ship", "storage tank"]
    assert named_categories("the courts", categories) == ["basketball court", "tennis court"]
    assert named_categories("only the tennis courts", categories) == ["tennis court"]
    assert named_categories("planes", categories) == []
