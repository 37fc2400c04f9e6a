"""Instructions that need no model, and those that do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.pipeline import Refinement, refine, replay, segment
from t2s_agent.pipeline.instructions import ParsedInstruction, parse_instruction
from t2s_agent.regions.units import PIXELS

TANKS = "Where are the storage tanks?"


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("only the largest", ParsedInstruction("area", True, 1)),
        ("Only the largest one.", ParsedInstruction("area", True, 1)),
        ("the three largest", ParsedInstruction("area", True, 3)),
        ("keep the two longest", ParsedInstruction("length", True, 2)),
        ("the smallest", ParsedInstruction("area", False, 1)),
        ("keep only the 12 smallest regions", ParsedInstruction("area", False, 12)),
        ("the northernmost", ParsedInstruction("lat", True, 1)),
        ("two southernmost", ParsedInstruction("lat", False, 2)),
        ("the easternmost", ParsedInstruction("lon", True, 1)),
        ("just the westernmost object", ParsedInstruction("lon", False, 1)),
    ],
)
def test_the_first_of_an_order(words, meaning):
    assert parse_instruction(words) == meaning


@pytest.mark.parametrize(
    ("words", "field", "limit"),
    [
        ("larger than 200 m2", "min_area_m2", 200),
        ("only those larger than 0.5 ha", "min_area_m2", 5000),
        ("smaller than 200 square metres", "max_area_m2", 200),
        ("longer than 30 m", "min_length_m", 30),
        ("shorter than 1.5 km", "max_length_m", 1500),
    ],
)
def test_sizes(words, field, limit):
    assert getattr(parse_instruction(words), field) == pytest.approx(limit, rel=1e-12)
    assert getattr(parse_instruction(words), field) != limit  # larger than 200 is not 200


@pytest.mark.parametrize(
    "words",
    [
        "",
        "only the largest tank",  # whether all are tanks is for a model
        "only the largest in the north",
        "not the largest",
        "all but the largest",
        "larger than 30 m",  # longer, or an area?
        "larger than the tank at the quay",
        "the zero largest",
        "the largest and the smallest",
        "only the leftmost",
        "the red ones",
    ],
)
def test_what_is_not_understood_as_a_whole_is_for_a_model(words):
    assert parse_instruction(words) is None


def test_without_a_ground_there_are_no_compass_and_no_metres_but_left_and_right():
    assert parse_instruction("the northernmost", units=PIXELS) is None
    assert parse_instruction("larger than 200 m2", units=PIXELS) is None
    assert parse_instruction("only the two leftmost", units=PIXELS) == ParsedInstruction("x", False, 2)
    assert parse_instruction("the topmost", units=PIXELS) == ParsedInstruction("y", False, 1)


@given(st.text())
def test_any_text_is_read_without_an_error(words):
    parse_instruction(words)


def test_no_model_is_asked_for_the_largest_and_the_result_says_so(engine, scene, monkeypatch):
    tanks = segment(engine, scene, TANKS)
    monkeypatch.setattr(type(engine.models), "prompter", lambda self: pytest.fail("a model was asked"))
    made = refine(engine, tanks.id, Refinement(instruction="only the two largest"))
    assert [r.area for r in made.regions] == sorted((r.area for r in tanks.regions), reverse=True)[:2]
    assert made.operation == "refine computed instruction"
    assert any("no model was asked" in warning for warning in made.warnings)
    assert made.left_out == {"first": len(tanks.regions) - 2}
    assert made.prompter == tanks.prompter
    again = replay(engine, made.id)
    assert again.first_difference is None
