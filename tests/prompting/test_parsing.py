"""Parsing a model's words, from the ordinary answer to the mangled one."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.instance import Instance
from t2s_agent.prompting.parsing import MOST_CHARACTERS, MOST_INSTANCES, parse_answer, well_tagged
from t2s_agent.prompting.style import DEFAULT_STYLE, STYLES

FRAME = (840, 840)
GOOD = (
    "<think>Two tanks stand by the quay.</think>\n<answer>```json"
    '[{"bbox_2d": [310,360,567,586], "positive_points": [[434, 474], [450, 460]]}]```</answer>'
)


def answered(body: str, **options):
    return parse_answer(f"<think>t</think><answer>```json{body}```</answer>", frame=FRAME, **options)


@pytest.mark.parametrize("strict", [False, True])
def test_an_ordinary_answer_gives_its_instance_and_its_thinking(strict):
    answer = parse_answer(GOOD, frame=FRAME, strict=strict)
    assert answer.status == "found"
    assert answer.instances == (Instance((310, 360, 567, 586), ((434, 474), (450, 460))),)
    assert answer.thinking == "Two tanks stand by the quay."
    assert answer.warnings == ()


@pytest.mark.parametrize("strict", [False, True])
def test_an_empty_list_says_that_there_is_no_target(strict):
    assert answered("[]", strict=strict).status == "empty"


def test_words_without_a_list_are_unparsable_not_empty():
    assert parse_answer("I see no tanks.", frame=FRAME).status == "unparsable"


def test_every_styles_own_example_parses_strictly():
    for style in STYLES.values():
        body = style.user("q").split("<answer>```json")[1].split("```")[0]
        answer = answered(body, style=style, strict=True)
        assert (answer.status, len(answer.instances)) == ("found", 2), style.name


@pytest.mark.parametrize(
    "body",
    [
        '[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]},]',
        "[{'bbox_2d': [1,2,30,40], 'positive_points': [[5,6],[7,8]]}]",
        '[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}, {"bbox_2d": [4,',
        '{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}',
        '[{"bbox_2d": [30,40,1,2], "positive_points": [[5,6],[7,8]]}]',
        '[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8],[9999,3]]}]',
    ],
)
def test_lenient_parsing_repairs_what_strict_parsing_refuses(body):
    assert answered(body).instances == (Instance((1, 2, 30, 40), ((5, 6), (7, 8))),)
    assert answered(body).warnings
    assert answered(body, strict=True).status == "unparsable"


def test_a_native_answer_without_tags_is_read_leniently_only():
    raw = '```json\n[{"bbox_2d": [1,2,30,40], "label": "tank"}]\n```'
    assert parse_answer(raw, frame=FRAME).instances == (Instance((1, 2, 30, 40), label="tank"),)
    assert parse_answer(raw, frame=FRAME, strict=True).status == "unparsable"  # no points


@pytest.mark.parametrize(
    "box",
    ["[1,2,3]", '["a",2,3,4]', "[NaN,2,3,4]", "[1,2,1,4]", "[900,900,950,950]", "[true,0,3,4]", "[1,2,1e999,null]"],
)
def test_one_bad_box_is_dropped_leniently_and_spoils_a_strict_answer(box):
    body = f'[{{"bbox_2d": {box}, "positive_points": [[5,6],[7,8]]}}, {{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}}]'
    lenient = answered(body)
    assert [i.box for i in lenient.instances] == [(1, 2, 30, 40)]
    assert "instance 1 is dropped" in lenient.warnings[0]
    assert answered(body, strict=True).status == "unparsable"


def test_boxes_are_clipped_to_the_frame_and_that_is_said():
    answer = answered('[{"bbox_2d": [-5,10,900,20]}]')
    assert answer.instances[0].box == (0, 10, 840, 20)
    assert answer.warnings == ("instance 1: its box was clipped to the image",)


def test_objects_without_a_list_around_them_are_all_read():
    raw = '<answer>{"bbox_2d": [1,2,30,40]}, {"bbox_2d": [5,6,70,80], "label": "quay"}</answer>'
    answer = parse_answer(raw, frame=FRAME)
    assert answer.instances == (Instance((1, 2, 30, 40)), Instance((5, 6, 70, 80), label="quay"))
    assert answer.warnings == ("the objects are not in a list",)


def test_brackets_in_the_words_before_the_list_are_not_taken_for_it():
    raw = "As seen [in the image] there are two: " + '[{"bbox_2d": [1,2,30,40]}]'
    assert parse_answer(raw, frame=FRAME).instances == (Instance((1, 2, 30, 40)),)


def test_an_answer_of_bad_instances_alone_is_unparsable_not_empty():
    answer = answered('[{"bbox_2d": [1,2,3]}]')
    assert answer.status == "unparsable"
    assert answer.warnings == ("instance 1 is dropped: its box does not have 4 numbers", "no instance could be used")


@pytest.mark.parametrize(
    "points", ["[[5,6]]", "[[5,6],[7,8],[9,9]]", "[]", '[["5","6"],[7,8]]', "[[5,6],[7,true]]", "[[5,6],[841,8]]"]
)
def test_strict_wants_exactly_the_points_that_the_style_asks_for(points):
    body = f'[{{"bbox_2d": [1,2,30,40], "positive_points": {points}}}]'
    assert answered(body, strict=True).status == "unparsable"
    assert answered(body).instances[0].box == (1, 2, 30, 40)


def test_strict_wants_a_fence_and_leaves_the_tags_to_their_own_reward():
    bare = '<think>t</think><answer>[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}]</answer>'
    assert parse_answer(bare, frame=FRAME, strict=True).status == "unparsable"
    untagged = '```json[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}]```'
    assert parse_answer(untagged, frame=FRAME, strict=True).status == "found"
    assert not well_tagged(untagged)


@pytest.mark.parametrize(
    ("raw", "well"),
    [
        (GOOD, True),
        ("<think></think> \n <answer></answer>", True),
        (GOOD + " ", False),
        ("Well: " + GOOD, False),
        ("<think>a<answer>[]</answer>", False),
        ("<think>a</think> so <answer>[]</answer>", False),
    ],
)
def test_well_tagged_is_thinking_then_answer_and_nothing_else(raw, well):
    assert well_tagged(raw) is well


def test_an_empty_list_of_negative_points_is_as_none():
    body = '[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]], "negative_points": []}]'
    assert answered(body, strict=True).status == "found"


TANK, QUAY = '[{"bbox_2d": [1,2,30,40]}]', '[{"bbox_2d": [5,6,70,80]}]'
TANK_BOX, QUAY_BOX = (1, 2, 30, 40), (5, 6, 70, 80)
EXAMPLE = DEFAULT_STYLE.example  # two objects
REPEATED = "the prompt's own example was repeated and is left out"
OUTSIDE = "it lies outside of the image"
CONTRADICTION = "it has an empty answer and another one that is not empty"


@pytest.mark.parametrize(
    ("raw", "boxes", "warnings"),
    [
        (f"<answer>{TANK}</answer> no: <answer>{QUAY}</answer>", [QUAY_BOX], ["of 2 answers the last one is used"]),
        (f"<answer>{TANK}</answer>\n<answer>{QUAY}</answer>", [TANK_BOX, QUAY_BOX], []),  # one answer in two parts
        (f"<answer>[]</answer> <answer>{TANK}</answer>", [TANK_BOX], []),
        (
            f"<answer>[]</answer> <answer>{TANK}</answer> or <answer>{QUAY}</answer>",
            [QUAY_BOX],
            ["of 2 answers the last one is used"],
        ),
        (f"<answer>nothing</answer> but <answer>{TANK}</answer>", [TANK_BOX], []),
        (f"<answer>{EXAMPLE}</answer> so <answer>{TANK}</answer>", [TANK_BOX], [REPEATED]),
        (f"<answer>{EXAMPLE[:-1]}, {TANK[1:]}</answer>", [TANK_BOX], [REPEATED]),
        (f"<answer>{TANK}", [TANK_BOX], ["the answer's closing tag is missing"]),
        (f"<answer>{TANK}<answer>{QUAY}</answer>", [QUAY_BOX], ["of 2 answers the last one is used"]),
    ],
)
def test_of_several_answers_the_last_one_of_the_models_own_is_used(raw, boxes, warnings):
    answer = parse_answer(raw, frame=FRAME)
    assert (answer.status, [each.box for each in answer.instances]) == ("found", boxes)
    assert list(answer.warnings) == warnings


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (f"<answer>[]</answer> or <answer>{TANK}</answer>", CONTRADICTION),
        (f"<answer>{TANK}</answer> or <answer>[]</answer>", CONTRADICTION),
        (f"<answer>{EXAMPLE}</answer>", "the answer only repeats the prompt's own example"),
        (
            f"<answer>{EXAMPLE}</answer> so <answer>{EXAMPLE}</answer>",
            "the answer only repeats the prompt's own example",
        ),
        (f"Draft: []\nFinal answer: {TANK}", CONTRADICTION),
    ],
)
def test_an_answer_that_contradicts_itself_or_repeats_the_example_is_unparsable(raw, reason):
    answer = parse_answer(raw, frame=FRAME)
    assert (answer.status, answer.instances, answer.warnings[-1]) == ("unparsable", (), reason)


@pytest.mark.parametrize(
    ("raw", "boxes", "said"),
    [
        (
            f"Draft: {TANK}\nFinal answer: {QUAY}",
            [QUAY_BOX],
            ["'Final answer' stands before a list: only what follows is used"],
        ),
        (f"Draft: {TANK}\nFinal answer: as above", [TANK_BOX], []),
        (f"No list yet.\nFinal answer: {QUAY}", [QUAY_BOX], []),
    ],
)
def test_without_tags_a_list_under_a_last_heading_is_the_answer(raw, boxes, said):
    answer = parse_answer(raw, frame=FRAME)
    assert [each.box for each in answer.instances] == boxes
    assert list(answer.warnings) == ["the answer has no <answer> tags", *said]


@pytest.mark.parametrize("strict", [False, True])
def test_a_point_on_the_edge_of_the_frame_is_inside(strict):
    body = '[{"bbox_2d": [1,2,30,40], "positive_points": [[0,0],[840,500]]}]'
    answer = parse_answer(f"```json{body}```", frame=(840, 500), strict=strict)
    assert answer.instances == (Instance((1, 2, 30, 40), ((0, 0), (840, 500))),)


@pytest.mark.parametrize("outside", ["[841,1]", "[1,501]", "[-1,5]", "[5,-1]"])
def test_a_point_outside_of_the_frame_is_dropped_with_a_warning_and_spoils_a_strict_answer(outside):
    body = f'```json[{{"bbox_2d": [1,2,30,40], "positive_points": [{outside},[8,9]]}}]```'
    lenient = parse_answer(body, frame=(840, 500))
    assert lenient.instances[0].positive == ((8, 9),)
    assert "instance 1: a positive point is dropped: it lies outside of the image" in lenient.warnings
    strict = parse_answer(body, frame=(840, 500), strict=True)
    assert (strict.status, strict.warnings) == ("unparsable", ("it lies outside of the image",))


def test_an_object_without_box_and_positive_point_cannot_be_used():
    outside = '{"positive_points": [[5, 9999]]}'
    answer = parse_answer(f'<answer>[{{"label": "tank"}}, {{"bbox_2d": [1,2,30,40]}}, {outside}]</answer>', frame=FRAME)
    assert [each.box for each in answer.instances] == [TANK_BOX]
    assert answer.warnings == (
        "instance 1 is dropped: it has neither a box nor a positive point",
        f"instance 3 is dropped: a positive point is dropped: {OUTSIDE}; it has neither a box nor a positive point",
    )


def test_strict_wants_the_fence_closed():
    body = '```json[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}]'
    assert parse_answer(f"{body}```", frame=FRAME, strict=True).status == "found"
    assert parse_answer(body, frame=FRAME, strict=True).warnings == ("the answer has no ```json block",)


@pytest.mark.parametrize("strict", [False, True])
def test_a_text_is_read_up_to_a_length_and_not_beyond(strict):
    body = '```json[{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}]```'
    fits = parse_answer(" " * (MOST_CHARACTERS - len(body)) + body, frame=FRAME, strict=strict)
    longer = parse_answer(" " * (MOST_CHARACTERS - len(body) + 1) + body, frame=FRAME, strict=strict)
    assert (fits.status, longer.status) == ("found", "unparsable")
    assert longer.warnings == ("the answer has 1000001 characters",)


@pytest.mark.parametrize("strict", [False, True])
def test_instances_beyond_a_number_are_left_out_and_that_is_said(strict, monkeypatch):
    monkeypatch.setattr("t2s_agent.prompting.parsing.MOST_INSTANCES", 2)
    one = '{"bbox_2d": [1,2,30,40], "positive_points": [[5,6],[7,8]]}'
    answer = parse_answer(f"<answer>```json[{one}, {one}, {one}]```</answer>", frame=FRAME, strict=strict)
    assert len(answer.instances) == 2
    assert answer.warnings == ("of 3 instances the first 2 are used",)
    assert MOST_INSTANCES == 5_000


@given(st.text(max_size=400))
def test_no_text_raises(raw):
    parse_answer(raw, frame=FRAME)
    parse_answer(raw, frame=FRAME, strict=True)


junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["bbox_2d", "positive_points", "label"]), inner)
    ),
    max_leaves=12,
)


@given(st.lists(junk, max_size=4), st.integers(0, 60), st.booleans())
def test_no_mangled_json_raises_and_what_is_found_lies_in_the_frame(value, cut, strict):
    text = json.dumps(value)
    answer = answered(text[: len(text) - cut] if cut % 2 else text, strict=strict)
    for instance in answer.instances:
        if instance.box:
            x1, y1, x2, y2 = instance.box
            assert 0 <= x1 < x2 <= 840
            assert 0 <= y1 < y2 <= 840
        assert all(0 <= x <= 840 and 0 <= y <= 840 for x, y in instance.positive + instance.negative)


def test_a_deep_nest_and_a_flood_are_answered_quickly():
    assert answered("[" * 90_000).status == "unparsable"
    assert parse_answer("[" * 200_000, frame=FRAME).status == "unparsable"


@pytest.mark.parametrize(
    "flood",
    [
        "[ " * 40_000,
        "</think> " * 11_000,
        '[{"a":' * 16_000,
        "[{'" + "\\\\" * 40_000,
        "[1" + "0" * 90_000 + "]",
        "{" * 90_000,
    ],
)
def test_floods_take_time_in_proportion_to_their_length(flood):
    began = time.perf_counter()
    assert answered(flood).status == "unparsable"
    assert well_tagged(flood) is False
    assert time.perf_counter() - began < 2.0  # quadratic would be minutes


@pytest.mark.parametrize(
    ("stated", "kind"),
    [("", "not_numbers"), (', "confidence": "high"', "not_numbers"), (', "confidence": 1.2', "bad_confidence")],
)
def test_strict_wants_a_confidence_within_0_to_1_where_the_style_asks_for_one(stated, kind):
    style = STYLES["box_2_points_confidence"]
    item = '"bbox_2d": [1, 2, 30, 40], "positive_points": [[5, 6], [7, 8]]'
    said = parse_answer(f'```json[{{{item}, "confidence": 0.7}}]```', frame=FRAME, style=style, strict=True)
    assert said.instances[0].score == 0.7
    wrong = parse_answer(f"```json[{{{item}{stated}}}]```", frame=FRAME, style=style, strict=True)
    assert (wrong.status, wrong.kind) == ("unparsable", kind)
    ignored = parse_answer(f'```json[{{{item}, "confidence": 0.7}}]```', frame=FRAME, strict=True)
    assert ignored.instances[0].score is None
