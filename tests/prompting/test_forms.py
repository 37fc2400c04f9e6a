"""Forms in which served models write objects."""

# ruff: noqa: UP031 (texts full of braces are read more easily with %)

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.prompting import forms
from t2s_agent.prompting.frames import COORDINATES, Frame, Size
from t2s_agent.prompting.parsing import parse_answer, read_words
from t2s_agent.prompting.reading import read_answer

A, B = (100, 200, 300, 400), (500, 600, 700, 800)
TWO = [A, B]
a, b = "[100,200,300,400]", "[500,600,700,800]"


def boxes(raw):
    words = read_words(raw)
    assert not any(item.bad for item in words.items), words
    return [item.box for item in words.items]


@pytest.mark.parametrize(
    "raw",
    [
        '```json\n{"bbox_2d": %s}\n```\n```json\n{"bbox_2d": %s}\n```' % (a, b),
        'Tank 1:\n```json\n[{"bbox_2d": %s}]\n```\nTank 2:\n```json\n[{"bbox_2d": %s}]\n```' % (a, b),
        '```\n[{"bbox_2d": %s}]\n```\n```JSON\n[{"bbox_2d": %s}]' % (a, b),
        'First: [{"bbox_2d": %s}] and second: [{"bbox_2d": %s}].' % (a, b),
        '<answer>{"bbox_2d": %s}</answer>\n<answer>{"bbox_2d": %s}</answer>' % (a, b),
        '{"bbox_2d": %s}\n{"bbox_2d": %s}' % (a, b),
        '```json\n{"objects": [{"bbox_2d": %s},{"bbox_2d": %s}]}\n```' % (a, b),
        '{"answer": {"count": 2, "objects": [{"bbox_2d": %s},{"bbox_2d": %s}]}}' % (a, b),
        '{"thinking": "two", "answer": [{"bbox_2d": %s},{"bbox_2d": %s}]}' % (a, b),
        '{"tank 1": %s, "tank 2": %s}' % (a, b),
        '{"tanks": [%s, %s]}' % (a, b),
        '{"bbox_2d": [%s, %s]}' % (a, b),
        '[{"label": "tank", "bboxes": [%s, %s]}]' % (a, b),
        "[%s,%s]" % (a, b),
        "[[%s],[%s]]" % (a, b),
        '[{"bbox_2d": ["100","200","300","400"]},{"bbox_2d": [" 500 ","600px","700.0","8e2"]}]',
        '[{"bbox_2d": "[100, 200, 300, 400]"},{"bbox_2d": "500 600 700 800"}]',
        '[{"box_2d": %s},{"bounding_box": %s}]' % (a, b),
        '[{"bbox_2d": {"x1":100,"y1":200,"x2":300,"y2":400}},{"xmin":500,"ymin":600,"xmax":700,"ymax":800}]',
        '[{"x_min":100,"yMin":200,"x_max":300,"yMax":400},{"left":500,"top":600,"right":700,"bottom":800}]',
        '[{"x":100,"y":200,"width":200,"height":200},{"bbox_2d":[[500,600],[700,800]]}]',
        "<|box_start|>(100,200),(300,400)<|box_end|><|box_start|>(500,600),(700,800)<|box_end|>",
        "<ref>tank</ref><box>[[100,200,300,400],[500,600,700,800]]</box>",
        "<box>(100,200),(300,400)</box> and <box>(500,600),(700,800)</box>",
        "<bbox>100 200 300 400</bbox><bbox>500 600 700 800</bbox>",
        "<|begin_of_box|>[[100,200,300,400],[500,600,700,800]]<|end_of_box|>",
        '<|begin_of_box|>[{"bbox_2d": %s},{"bbox_2d": %s}]<|end_of_box|>' % (a, b),
        '<point_box mention="tank"> (100,200) (300,400) </point_box><point_box> (500,600) (700,800) </point_box>',
        "One tank is at [100, 200, 300, 400] and the other at [500, 600, 700, 800].",
        "They lie at (100, 200), (300, 400) and at (500, 600), (700, 800).",
    ],
)
def test_every_form_gives_both_boxes(raw):
    assert boxes(raw) == TWO
    assert boxes(f"<think>two</think><answer>{raw}</answer>" if "<answer>" not in raw else raw) == TWO


def test_more_than_one_list_is_said():
    answer = parse_answer('```json\n{"bbox_2d": %s}\n```\n```json\n{"bbox_2d": %s}\n```' % (a, b), frame=(1000, 1000))
    assert "the answer has 2 lists, and all are used" in answer.warnings


@pytest.mark.parametrize(
    "raw",
    [
        "[]",
        "<answer>[]</answer>",
        "```json\n[]\n```",
        '```json\n{"objects": []}\n```',
        '{"answer": {"objects": []}}',
        '{"objects": null}',
        "The answer is [].",
        '[{"bbox_2d": [], "label": "none"}]',
        '[{"bbox_2d": null}]',
        "[[]]",
    ],
)
def test_empty_is_what_the_model_said_in_so_many_words(raw):
    assert parse_answer(raw, frame=(1000, 1000)).status == "empty"


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "There are no tanks.",
        "{}",
        '{"error": null}',
        '{"status": "done"}',
        "I would write [] if there were none, but I cannot see the picture",
        '[{"bbox_2d": [0,0,0,0]}]',
        '[{"label": "none"}]',
        '[{"bbox_2d": [1,2,3]}]',
        "See [1] and [2, 3].",
    ],
)
def test_everything_else_is_unparsable_not_empty(raw):
    assert parse_answer(raw, frame=(1000, 1000)).status == "unparsable"


@pytest.mark.parametrize(
    ("raw", "point"),
    [
        ('[{"point_2d": [10, 20], "label": "tank"}]', (10, 20)),
        ('[{"points": [{"x": 10, "y": 20}], "label": "tank"}]', (10, 20)),
        ('[{"x": 10, "y": 20, "label": "tank"}]', (10, 20)),
        ("<|point_start|>(10,20)<|point_end|>", (10, 20)),
        ("<point>10 20</point>", (10, 20)),
    ],
)
def test_points_alone_are_objects_too(raw, point):
    [item] = read_words(raw).items
    assert (item.box, item.positive) == (None, (point,))


@pytest.mark.parametrize("key", ["label", "name", "text_content"])
def test_labels_have_several_names(key):
    [item] = read_words(json.dumps([{"bbox_2d": A, key: "tank"}])).items
    assert item.label == "tank"


SQUARE = Size(1000, 500)


def placed(raw, name="relative"):
    own = COORDINATES[name]
    return read_answer(raw, Frame(Size(own.scale, own.scale), SQUARE, own.y_first)).instances


def test_forms_with_a_frame_of_their_own_are_read_in_it_whatever_is_assumed():
    """The same place, 0.1..0.3 of the width and 0.4..0.8 of the height of a View of 1000 x 500 px, in each form."""
    want = (100, 200, 300, 400)
    for raw in (
        "<|ref|>tank<|/ref|><|det|>[[99.9, 399.6, 299.7, 799.2]]<|/det|>",
        "tank<loc_100><loc_400><loc_300><loc_800>",
        "<loc0410><loc0102><loc0819><loc0307> tank",
    ):
        for assumed in ("relative", "relative_yx", "unit"):
            [instance] = placed(raw, assumed)
            assert instance.box == pytest.approx(want, abs=0.6), raw
            assert instance.label == "tank"
    [point] = placed('<point x="10.0" y="40.0" alt="tank">tank</point>')
    assert point.positive[0] == pytest.approx((100, 200))


def test_y_first_is_turned_round_save_where_the_axes_are_named():
    [instance] = placed('[{"box_2d": [400, 100, 800, 300], "positive_points": [[500, 200]]}]', "relative_yx")
    assert instance.box == (100, 200, 300, 400)
    assert instance.positive == ((200, 250),)
    [instance] = placed('[{"box_2d": {"ymin": 400, "xmin": 100, "ymax": 800, "xmax": 300}}]', "relative_yx")
    assert instance.box == (100, 200, 300, 400)


junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.just("10"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["bbox_2d", "objects", "points", "x", "y", "x1", "label", "point_2d", "q"]), inner
        )
    ),
    max_leaves=12,
)


@given(junk, st.booleans())
def test_no_json_raises(value, fenced):
    text = json.dumps(value)
    read_words(f"```json\n{text}\n```" if fenced else text)


@given(
    st.lists(
        st.sampled_from(
            ["<box>", "</box>", "<loc_1>", "<loc0001>", "[[", "1,2", "(3,4)", "```", "<|det|>", "{", '"a":', "]]"]
        ),
        max_size=30,
    )
)
def test_no_tokens_raise(pieces):
    read_words("".join(pieces))


@pytest.mark.parametrize(
    "flood",
    ["<box>" * 18_000, "[1," * 30_000, "[[1,2],[" * 12_000, "<|ref|>a" * 12_000, "<loc_1>" * 14_000, "(1,2)," * 16_000,
     "```json[" * 12_000, "<answer>[" * 11_000, "<point x='1' " * 7_000, '{"a":{' * 16_000, "<think>" * 14_000, '[{"x":1},' * 11_000],
)  # fmt: skip
def test_floods_take_time_in_proportion_to_their_length(flood):
    began = time.perf_counter()
    read_words(flood)
    assert time.perf_counter() - began < 4.0  # quadratic would be minutes


@pytest.mark.parametrize("joint", ["\n", "\n\n", " and then "])
@pytest.mark.parametrize("written", ['{"bbox_2d": %s}', "%s", '```json\n[{"bbox_2d": %s}]\n```', "{'bbox_2d': %s}"])
def test_a_thousand_objects_in_no_list_are_all_read(written, joint):
    boxes = [[x * 20, y * 20, x * 20 + 9, y * 20 + 9] for y in range(26) for x in range(50)]
    read = read_words(joint.join(written % box for box in boxes))
    assert [list(item.box) for item in read.items] == boxes


def test_what_lies_beyond_the_most_parts_is_said(monkeypatch):
    monkeypatch.setattr(forms, "MOST_VALUES", 3)
    read = read_words("\n".join('{"bbox_2d": [1, 2, 3, %d]}' % y for y in range(4, 9)))
    assert len(read.items) == 3
    assert any("too many parts" in warning for warning in read.warnings)


@pytest.mark.parametrize(
    "text",
    [
        '[{"bbox_2d": %s}, // the first\n {"bbox_2d": %s} /* the second */]' % (a, b),
        '[{"top_left": [100, 200], "bottom_right": [300, 400]}, {"topLeft": {"x": 500, "y": 600}, "bottomRight": {"x": 700, "y": 800}}]',
        '[{"bbox_xywh": [100, 200, 200, 200]}, {"xywh": [500, 600, 200, 200]}]',
        '[{"cx": 200, "cy": 300, "w": 200, "h": 200}, {"x_center": 600, "y_center": 700, "width": 200, "height": 200}]',
        '[{"cxcywh": [200, 300, 200, 200]}, {"x_start": 500, "y_start": 600, "x_end": 700, "y_end": 800}]',
        "A draft: [[1, 2, 3, 4]]\n\n**Final answer:**\n[%s, %s]" % (a, b),
    ],
)
def test_more_ways_to_write_two_boxes(text):
    assert [item.box for item in read_words(text).items] == [A, B]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('[{"bbox_2d": %s}, {"bbox_2d": [1, 2, 3, 4], "label": two words}, {"bbox_2d": %s}]' % (a, b), [A, B]),
        ('{"objects": [{"bbox_2d": %s}, {"bbox_2d": [1, 2, 3, 4], "label": two words}]}' % a, [A]),
        ('[{"bbox_2d": [1, 2, 3, 4], "label": two words}, {"bbox_2d": %s}]' % b, [B]),
    ],
)
def test_what_stands_before_a_break_is_read_and_the_loss_is_said(text, kept):
    read = read_words(text)
    assert [item.box for item in read.items] == kept
    assert any("could not be read" in warning for warning in read.warnings)


def test_two_lists_in_a_text_are_both_read_and_that_is_said():
    read = read_words("First [[100, 200, 300, 400]] and then [[500, 600, 700, 800]].")
    assert [item.box for item in read.items] == [A, B]
    assert any("several lists" in warning for warning in read.warnings)


def test_an_empty_final_answer_after_a_draft_is_neither_empty_nor_found():
    assert "empty answer" in read_words("Draft: [[100, 200, 300, 400]]\nFinal answer: []").problem
