"""One answer out of several samples."""

import pytest

from t2s_agent.instance import Instance
from t2s_agent.prompting.agreement import agreed
from t2s_agent.prompting.answer import Answer


def found(*boxes, tokens=10):
    return Answer("found", tuple(Instance(box) for box in boxes), tokens=tokens, seconds=0.5)


EMPTY, WORDS = Answer("empty", tokens=10), Answer("unparsable", tokens=10)
LEFT, RIGHT, LEFT_HALF = (0, 0, 10, 10), (50, 0, 60, 10), (0, 0, 10, 5)


def test_a_single_answer_stays_without_a_score():
    assert agreed([found(LEFT)]) == found(LEFT)


def test_the_score_is_the_mean_best_overlap_with_the_others_worked_by_hand():
    answer = agreed([found(LEFT, RIGHT), found(LEFT), found(LEFT_HALF)])
    # LEFT of the second: 1.0 with the first, 0.5 with the third
    assert answer.instances == (Instance(LEFT, score=0.75),)
    assert answer.tokens == 30
    assert answer.seconds == 1.5


def test_all_alike_agree_fully_and_a_lone_find_does_not():
    assert agreed([found(LEFT)] * 2 + [found(LEFT)]).instances[0].score == 1.0
    lone = agreed([found(LEFT), EMPTY])
    assert lone.instances[0].score == 0.0
    assert "1 of 2 samples found a target" in lone.warnings


def test_most_samples_decide_whether_there_is_a_target():
    assert agreed([EMPTY, found(LEFT), EMPTY]).status == "empty"
    assert agreed([EMPTY, found(LEFT), found(LEFT)]).status == "found"


def test_what_could_not_be_parsed_has_no_vote_but_is_told():
    answer = agreed([WORDS, found(LEFT), found(LEFT)])
    assert answer.instances[0].score == 1.0
    assert answer.warnings == ("1 of 3 samples could not be parsed",)
    assert agreed([WORDS, WORDS]).status == "unparsable"


def test_points_without_a_box_have_no_score():
    points = Answer("found", (Instance(None, ((5.0, 5.0),)),))
    assert agreed([points, points]).instances[0].score is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_order_of_samples_does_not_choose_among_unequal_ones(order):
    samples = [found(LEFT, RIGHT), found(LEFT), found(LEFT_HALF)]
    assert [i.box for i in agreed([samples[at] for at in order]).instances] == [LEFT]
