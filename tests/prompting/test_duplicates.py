"""Duplicate suppression."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.instance import Instance
from t2s_agent.prompting.duplicates import box_iou, without_duplicates

side = st.floats(1, 100)
boxes = st.builds(lambda x, y, w, h: Instance((x, y, x + w, y + h)), side, side, side, side)


def test_iou_of_two_boxes_worked_by_hand():
    assert box_iou((0, 0, 2, 2), (1, 0, 3, 2)) == 2 / 6


def test_a_wide_box_does_not_delete_the_tight_one_before_it():
    tight, wide = Instance((10, 10, 20, 20)), Instance((9, 9, 21, 21))
    kept, warnings = without_duplicates([tight, wide], threshold=0.5)
    assert kept == (tight,)
    assert len(warnings) == 1


def test_the_better_score_stays_wherever_it_stands():
    first, second = Instance((10, 10, 20, 20), score=0.2), Instance((10, 10, 20, 21), score=0.9)
    assert without_duplicates([first, second])[0] == (second,)


def test_points_alone_are_never_left_out():
    same = Instance(None, ((5, 5),))
    assert without_duplicates([same, same])[0] == (same, same)


@given(st.lists(boxes, max_size=8))
def test_a_second_pass_changes_nothing_and_something_is_always_kept(instances):
    kept, _ = without_duplicates(instances)
    assert without_duplicates(kept)[0] == kept
    assert bool(kept) == bool(instances)


@given(st.lists(boxes, max_size=8), st.floats(0.05, 0.95))
def test_no_two_that_are_kept_overlap_by_more_than_the_threshold(instances, threshold):
    kept, warnings = without_duplicates(instances, threshold)
    assert all(box_iou(a.box, b.box) <= threshold for i, a in enumerate(kept) for b in kept[i + 1 :])
    assert bool(warnings) == (len(kept) < len(instances))


def test_one_warning_tells_of_all_that_repeat_one_object():
    # QwenLM/Qwen3-VL#718 and #1611: a model that is stuck says the same box until its text ends
    kept, warnings = without_duplicates([Instance((10, 10, 20, 20))] * 300)
    assert len(kept) == 1
    assert warnings == ("instances 2, 3, 4, 5, 6 and 294 more repeat instance 1 and are left out",)
    assert without_duplicates([Instance((10, 10, 20, 20))] * 3)[1] == (
        "instances 2, 3 repeat instance 1 and are left out",
    )


@given(st.lists(boxes, max_size=6), st.randoms(use_true_random=False))
def test_with_scores_of_their_own_the_order_does_not_matter(instances, random):
    scored = [replace(instance, score=index / 10) for index, instance in enumerate(instances)]
    shuffled = random.sample(scored, len(scored))
    assert set(without_duplicates(scored)[0]) == set(without_duplicates(shuffled)[0])


@given(st.lists(boxes, max_size=12), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_an_instance_is_left_out_just_where_one_before_it_overlaps_that_much(instances, threshold):
    kept = []
    for instance in instances:
        if all(box_iou(instance.box, other.box) <= threshold for other in kept):
            kept.append(instance)
    assert without_duplicates(instances, threshold)[0] == tuple(kept)
