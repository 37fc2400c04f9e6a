"""Reading what a policy wants changed about its first masks: one JSON object, in the numbers of its frame."""

import pytest

from t2s_agent.prompting.frames import Frame, Size
from training.multi_turn.correction import Correction, read_correction

FRAME = Frame(Size(1000, 1000), Size(200, 100))


def read(body):
    return read_correction(f"<think>more</think>\n<answer>```json{body}```</answer>", FRAME)


def test_points_and_box_are_moved_to_view_pixels():
    got = read('{"positive_points": [[500, 500]], "negative_points": [[0, 1000]], "bbox_2d": [0, 0, 100, 100]}')
    assert got == Correction(((100, 50),), ((0, 100),), (0, 0, 20, 10))


def test_masks_to_drop_are_numbers():
    assert read('{"drop": [2, 5]}').drop == (2, 5)


@pytest.mark.parametrize("body", ["{}", "[]", " {} "])
def test_nothing_to_correct(body):
    assert read(body).empty
    assert read(body).kind == ""


def test_the_fence_may_be_left_out_and_the_last_answer_counts():
    text = '<answer>{"drop": [1]}</answer> or rather <answer>{"drop": [2]}</answer>'
    assert read_correction(text, FRAME).drop == (2,)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("no tags", "no_answer"),
        ("<answer>drop it</answer>", "no_json"),
        ('<answer>{"drop": ["1"]}</answer>', "wrong_keys"),
        ('<answer>{"remove": [1]}</answer>', "wrong_keys"),
        ('<answer>{"bbox_2d": [9, 9, 1, 1]}</answer>', "wrong_keys"),
        ('<answer>{"positive_points": [[1001, 5]]}</answer>', "outside"),
        ('<answer>{"positive_points": [[NaN, 5]]}</answer>', "wrong_keys"),
        ('<answer>{"positive_points": [[1, 2, 3]]}</answer>', "wrong_keys"),
    ],
)
def test_what_cannot_be_read_changes_nothing_and_has_a_kind(text, kind):
    got = read_correction(text, FRAME)
    assert (got.kind, got.empty) == (kind, True)
