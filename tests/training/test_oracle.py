"""Tests the prompts that are made from a truth: their parts, their order, and clicks where a segmenter errs."""

import numpy as np
import pytest

from evals.datasets import Truth
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask, union_of
from t2s_agent.prompting.style import STYLES
from t2s_agent.segmenting.box import BoxSegmenter
from t2s_agent.segmenting.segmenter import Masks
from training.oracle import Oracle, objects_in, outside_points
from training.recipe import Supervised

SIDE = 64
VIEW = Looking().view(np.zeros((SIDE, SIDE, 3), np.uint8))


def truth_of(*rectangles, instances=True):
    masks = tuple(Mask(np.ones((y2 - y1, x2 - x1), bool), x1, y1) for x1, y1, x2, y2 in rectangles)
    return Truth(union_of(masks, SIDE, SIDE), masks if instances else None)


def inside(truth, points):
    return [bool(truth.mask[int(y), int(x)]) for x, y in points]


@pytest.mark.parametrize("style", STYLES.values(), ids=str)
def test_an_instance_has_exactly_what_the_style_asks_for(style):
    truth = truth_of((10, 12, 40, 30), (45, 40, 60, 60))
    instances = Oracle(Supervised()).instances(VIEW, truth, style)
    assert [each.box for each in instances] == ([(10, 12, 40, 30), (45, 40, 60, 60)] if style.box else [None, None])
    for each in instances:
        assert (len(each.positive), len(each.negative)) == (style.positive, style.negative)
        assert all(inside(truth, each.positive))
        assert not any(inside(truth, each.negative))
        assert len(set(each.positive)) == style.positive


def test_no_object_is_no_instance():
    assert Oracle(Supervised()).instances(VIEW, truth_of(), STYLES["box"]) == ()


def test_a_mask_without_instances_is_taken_by_its_connected_parts():
    truth = truth_of((0, 0, 10, 10), (20, 0, 30, 10), (25, 5, 40, 10), instances=False)
    assert [mask.bounds for mask in objects_in(truth, 16)] == [(0, 0, 10, 10), (20, 0, 40, 10)]


def test_the_largest_objects_are_taken_and_written_in_reading_order():
    truth = truth_of((50, 2, 60, 10), (0, 3, 20, 10), (0, 40, 30, 60), (30, 30, 32, 32))
    assert [mask.bounds[:2] for mask in objects_in(truth, 3)] == [(0, 3), (50, 2), (0, 40)]


def test_negative_points_lie_near_the_object_and_outside_of_all_that_is_asked_for():
    truth = truth_of((20, 20, 40, 40), (40, 20, 60, 40))
    points = outside_points(truth.instances[0], truth, 4)
    assert not any(inside(truth, points))
    assert all(15 <= x <= 45 and 15 <= y <= 45 for x, y in points)


def test_pixels_that_are_left_open_are_not_outside():
    truth = truth_of((20, 20, 40, 40))
    ignore = np.ones((SIDE, SIDE), bool)
    ignore[50:, 50:] = False
    open_truth = Truth(truth.mask, truth.instances, ignore)
    assert all(x > 50 and y > 50 for x, y in outside_points(truth.instances[0], open_truth, 2))


def test_an_object_that_fills_the_view_has_its_negative_points_at_the_corner():
    truth = truth_of((0, 0, SIDE, SIDE))
    assert outside_points(truth.instances[0], truth, 2) == [(0.0, 0.0), (0.0, 0.0)]


class HalfSegmenter(BoxSegmenter):
    """Draws the left half of a box, and everything around a positive point within ten pixels."""

    def decode(self, embedding, instances):
        masks = []
        for each in instances:
            x1, y1, x2, y2 = map(int, each.box)
            drawn = np.zeros((SIDE, SIDE), bool)
            drawn[y1:y2, x1 : (x1 + x2) // 2] = True
            for x, y in each.positive:
                drawn[max(0, int(y) - 10) : int(y) + 10, max(0, int(x) - 10) : int(x) + 10] = True
            masks.append(Mask.of(drawn))
        return Masks(tuple(masks), np.full(len(masks), np.nan, np.float32), SIDE, SIDE)


def test_a_click_is_put_where_the_segmenter_misses_most():
    truth = truth_of((8, 8, 48, 48))
    style = STYLES["box_2_points"]
    [instance] = Oracle(Supervised(clicks=2), HalfSegmenter()).instances(VIEW, truth, style)
    first, second = instance.positive
    assert 28 <= first[0] < 48
    assert all(inside(truth, instance.positive))
    after = HalfSegmenter().decode(None, [Instance(instance.box, (first,))]).masks[0].full(SIDE, SIDE)
    assert truth.mask[int(second[1]), int(second[0])]
    assert not after[int(second[1]), int(second[0])]


def test_a_click_is_negative_where_the_segmenter_draws_too_much():
    truth = truth_of((8, 8, 18, 18))
    style = STYLES["box_2_points_2_negative"]
    [instance] = Oracle(Supervised(clicks=2), HalfSegmenter()).instances(VIEW, truth, style)
    assert len(instance.negative) == 2
    assert not any(inside(truth, instance.negative))
    drawn = HalfSegmenter().decode(None, [instance]).masks[0].full(SIDE, SIDE)
    assert drawn[int(instance.negative[0][1]), int(instance.negative[0][0])]


def test_a_segmenter_without_error_leaves_the_points_to_the_mask():
    truth = truth_of((8, 8, 48, 48))
    clicked = Oracle(Supervised(clicks=8), BoxSegmenter()).instances(VIEW, truth, STYLES["box_4_points"])
    plain = Oracle(Supervised()).instances(VIEW, truth, STYLES["box_4_points"])
    assert clicked == plain


def test_clicks_without_a_box_begin_with_a_point_inside():
    truth = truth_of((8, 8, 18, 18))
    [instance] = Oracle(Supervised(clicks=2), BoxSegmenter()).instances(VIEW, truth, STYLES["points"])
    assert len(instance.positive) == 2
    assert all(inside(truth, instance.positive))


def test_clicks_need_a_segmenter():
    with pytest.raises(T2SError, match="segmenter"):
        Oracle(Supervised(clicks=1))
