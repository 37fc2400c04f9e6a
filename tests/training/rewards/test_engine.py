"""Judging completions: the paper's reward, groups, and what is refused."""

import json

import numpy as np
import pytest

from evals.datasets.sample import Truth
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.models import nano_folder
from t2s_agent.prompting.frames import Frame, Size
from t2s_agent.prompting.style import STYLES
from t2s_agent.segmenting.box import BoxSegmenter
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.close_up import CloseUpSegmenter
from t2s_agent.segmenting.sam2 import Sam2Segmenter
from training.recipe import Reward
from training.rewards.asked import Asked, kinds_of
from training.rewards.engine import RewardEngine
from training.rewards.naive import judge_naively

PAPER = Reward()
SIDE = 100


def asked_for(mask, *, id="q", style="box", frame=SIDE, ignore=None, known=True, seed=0, objects=None):
    rgb = np.random.default_rng(seed).integers(0, 255, (*mask.shape, 3), np.uint8)
    size = Size(mask.shape[1], mask.shape[0])
    return Asked(
        id,
        Looking().view(rgb),
        Truth(mask, objects, ignore, known),
        STYLES[style],
        Frame(Size(frame, frame), size),
    )


def box_truth(x1, y1, x2, y2, side=SIDE):
    mask = np.zeros((side, side), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def written(*boxes, points=()):
    listed = [{"bbox_2d": list(box)} | ({"positive_points": list(points)} if points else {}) for box in boxes]
    return f"<think>t</think><answer>```json{json.dumps(listed)}```</answer>"


def judge(asked, *completions, reward=PAPER, segmenter=None):
    engine = RewardEngine(segmenter or BoxSegmenter(), reward)
    return engine.judge([asked] * len(completions), completions)


def test_a_perfect_answer_has_the_papers_four_and_half_the_object_half_the_iou():
    whole, half = judge(asked_for(box_truth(10, 10, 50, 50)), written((10, 10, 50, 50)), written((10, 10, 30, 50)))
    assert (whole.rewards, whole.total) == ({"mask": 1.0, "valid_json": 1.0, "valid_tags": 1.0}, 4.0)
    assert (half.iou, half.total) == (0.5, 3.0)
    assert half.union.area == 20 * 40


def test_several_instances_are_judged_by_their_union():
    [judged] = judge(asked_for(box_truth(10, 10, 50, 50)), written((10, 10, 30, 50), (30, 10, 50, 50)))
    assert (judged.iou, len(judged.instances), judged.status) == (1.0, 2, "found")


def test_boxes_are_read_in_the_frame_that_the_policy_writes_in():
    [judged] = judge(asked_for(box_truth(10, 10, 50, 50), frame=1000), written((100, 100, 500, 500)))
    assert judged.iou == 1.0


def test_where_nothing_is_asked_for_only_the_empty_list_is_right():
    nothing = asked_for(np.zeros((SIDE, SIDE), bool))
    empty, found, unread = judge(nothing, written(), written((10, 10, 20, 20)), "no")
    assert [each.rewards["mask"] for each in (empty, found, unread)] == [1.0, 0.0, 0.0]
    assert (empty.total, found.total, unread.total) == (4.0, 2.0, 0.0)


def test_an_empty_list_is_wrong_where_something_is_there():
    [judged] = judge(asked_for(box_truth(10, 10, 50, 50)), written())
    assert (judged.status, judged.iou, judged.total) == ("empty", 0.0, 2.0)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('```json[{"bbox_2d": [10, 10, 50, 50],}]```', "not_json"),  # which a repair could mend
        ('[{"bbox_2d": [10, 10, 50, 50]}]', "no_block"),
        ('```json{"bbox_2d": 1}```', "no_list"),
        ('```json[{"bbox_2d": [50, 50, 10, 10]}]```', "bad_box"),
        ('```json[{"bbox_2d": [200, 10, 250, 50]}]```', "bad_box"),
        ('```json[{"bbox_2d": [10, 10, "50", 50]}]```', "not_numbers"),
        ('```json[{"bbox_2d": [10, 10, NaN, 50]}]```', "not_finite"),
        ('```json[{"bbox_2d": [10, 10, 50, 50], "positive_points": [[5, 5]]}]```', "wrong_point_count"),
        ('```json[{"positive_points": [[5, 5]]}]```', "wrong_keys"),
        ("```json[3]```", "not_an_object"),
    ],
)
def test_what_strict_parsing_refuses_has_no_mask_and_a_kind_and_keeps_its_tags(body, kind):
    judged = judge(asked_for(box_truth(10, 10, 50, 50)), f"<think>t</think><answer>{body}</answer>")
    assert (judged[0].kind, judged[0].rewards) == (kind, {"mask": 0.0, "valid_json": 0.0, "valid_tags": 1.0})
    assert kinds_of(judged) == {kind: 1}


def test_without_strictness_a_repaired_answer_has_its_mask_and_still_no_reward_for_json():
    mended = '<think>t</think><answer>```json[{"bbox_2d": [10, 10, 50, 50],}]```</answer>'
    [judged] = judge(asked_for(box_truth(10, 10, 50, 50)), mended, reward=Reward(strict=False))
    assert judged.rewards == {"mask": 1.0, "valid_json": 0.0, "valid_tags": 1.0}
    assert (judged.status, judged.kind) == ("found", "not_json")


def test_a_box_is_clipped_to_the_view():
    [judged] = judge(asked_for(box_truth(50, 50, 100, 100)), written((50, 50, 140, 101)))
    assert judged.instances[0].box == (50, 50, 100, 100)
    assert judged.iou == 1.0


def test_a_repeated_box_is_left_out_unless_the_recipe_keeps_it():
    twice = written((10, 10, 50, 50), (10, 10, 50, 49))
    asked = asked_for(box_truth(10, 10, 50, 50))
    assert len(judge(asked, twice)[0].instances) == 1
    assert len(judge(asked, twice, reward=Reward(same=1.0))[0].instances) == 2


def test_pixels_that_the_dataset_leaves_open_do_not_count():
    ignore = box_truth(50, 0, 100, 100)
    [judged] = judge(asked_for(box_truth(10, 10, 50, 50), ignore=ignore), written((10, 10, 90, 50)))
    assert judged.iou == 1.0


def test_a_question_that_the_dataset_does_not_annotate_is_refused_by_its_name():
    with pytest.raises(T2SError, match="does not annotate what odd/7 asks for"):
        judge(asked_for(np.zeros((SIDE, SIDE), bool), id="odd/7", known=False), written())


def test_a_truth_of_another_size_than_the_view_is_refused():
    asked = asked_for(box_truth(10, 10, 50, 50))
    other = Asked("q", asked.view, Truth(np.zeros((50, 50), bool)), asked.style, asked.frame)
    with pytest.raises(T2SError, match="has 50 x 50 px, the View 100 x 100"):
        judge(other, written())


def test_a_crash_of_the_segmenter_is_a_crash_and_no_reward():
    class Broken(BoxSegmenter):
        def decode(self, embedding, instances):
            raise RuntimeError("the segmenter is broken")

    with pytest.raises(RuntimeError, match="the segmenter is broken"):
        judge(asked_for(box_truth(10, 10, 50, 50)), written((10, 10, 50, 50)), segmenter=Broken())


def test_weights_are_those_of_the_recipe():
    reward = Reward(mask=3, valid_json=0, valid_tags=0.5)
    assert judge(asked_for(box_truth(10, 10, 50, 50)), written((10, 10, 50, 50)), reward=reward)[0].total == 3.5


def random_answers(rng, count, most=4):
    for _ in range(count):
        corners = rng.integers(0, 60, (int(rng.integers(1, most + 1)), 2))
        yield written(*[(int(x), int(y), int(x) + 30, int(y) + 25) for x, y in corners])


def plain_sam2(cache):
    """nano's weights, used as a SAM 2: the image is embedded as a whole."""
    return Sam2Segmenter.load(nano_folder("segmenter"), dtype="float32", cache=cache)


def close_up(cache):
    return CloseUpSegmenter(plain_sam2(cache))


@pytest.mark.parametrize("load", [plain_sam2, close_up])
def test_rewards_of_mixed_groups_are_those_of_the_naive_way(load):
    rng = np.random.default_rng(0)
    questions = [asked_for(box_truth(5 + i, 10, 50, 70), id=f"q{i}", seed=i) for i in range(2)]
    asked = [questions[i % 2] for i in range(6)]
    completions = [*random_answers(rng, 5), "unreadable"]
    ours = RewardEngine(load(EmbeddingCache()), PAPER).judge(asked, completions)
    naive = judge_naively(load(EmbeddingCache(0)), PAPER, asked, completions)
    for one, other in zip(ours, naive, strict=True):
        assert one.total == pytest.approx(other.total, abs=1e-3)
        assert (one.status, one.instances) == (other.status, other.instances)
    assert len({round(each.iou, 3) for each in ours}) > 3  # masks that differ


def test_each_image_is_embedded_once_whatever_the_number_of_questions_and_completions():
    segmenter = plain_sam2(EmbeddingCache())
    asked = [asked_for(box_truth(5, 10, 50, 70), id=f"q{i}", seed=i // 2) for i in range(4)]
    RewardEngine(segmenter, PAPER).judge(asked * 2, [written((10, 10, 40 + i, 40)) for i in range(8)])
    assert segmenter.embedded == 2


def test_an_instance_that_several_completions_have_is_decoded_once():
    class Counting(BoxSegmenter):
        decoded = 0

        def decode(self, embedding, instances):
            self.decoded += len(instances)
            return super().decode(embedding, instances)

    counting = Counting()
    same, other = written((10, 10, 50, 50)), written((10, 10, 50, 50), (60, 60, 80, 80))
    judge(asked_for(box_truth(10, 10, 50, 50)), same, same, other, segmenter=counting)
    assert counting.decoded == 2


CAR, STADIUM = (5, 5, 10, 10), (20, 20, 90, 90)
TWO = box_truth(*CAR) | box_truth(*STADIUM)
OBJECTS = (Mask.of(box_truth(*CAR)), Mask.of(box_truth(*STADIUM)))


def test_at_the_level_of_instances_masks_are_matched_with_objects_one_by_one():
    asked = asked_for(TWO, objects=OBJECTS)
    both, one, merged = judge(
        asked, written(STADIUM, CAR), written(STADIUM), written((5, 5, 90, 90)), reward=Reward(level="instance")
    )
    assert both.rewards["mask"] == 1.0
    assert one.rewards["mask"] == pytest.approx(2 / 3)
    assert merged.rewards["mask"] == pytest.approx(2 / 3 * 70**2 / 85**2)
    assert one.iou == pytest.approx(70**2 / (70**2 + 5**2))  # that of the union, whatever is rewarded


def test_where_objects_weigh_the_same_a_missed_car_costs_as_much_as_a_missed_stadium():
    asked = asked_for(TWO, objects=OBJECTS)
    reward = Reward(weigh="objects")
    car, stadium, both = judge(asked, written(CAR), written(STADIUM), written(CAR, STADIUM), reward=reward)
    assert [each.rewards["mask"] for each in (car, stadium, both)] == pytest.approx([0.5, 0.5, 1.0])


@pytest.mark.parametrize("reward", [Reward(level="instance"), Reward(weigh="objects")])
def test_a_dataset_that_does_not_know_objects_one_by_one_is_refused_by_the_samples_name(reward):
    with pytest.raises(T2SError, match="the dataset of q does not know objects one by one"):
        judge(asked_for(TWO), written(CAR), reward=reward)
    nothing = asked_for(np.zeros((SIDE, SIDE), bool))
    assert [each.iou for each in judge(nothing, written(), written(CAR), reward=reward)] == [1.0, 0.0]


def test_an_answer_near_the_limit_of_tokens_loses_the_length_reward():
    engine = RewardEngine(BoxSegmenter(), Reward(length=0.5, length_buffer=20), most_tokens=100)
    asked = [asked_for(box_truth(*STADIUM))] * 3
    judged = engine.judge(asked, [written(STADIUM)] * 3, [50, 90, 100])
    assert [each.rewards["length"] for each in judged] == [1.0, 0.5, 0.0]
    assert [each.total for each in judged] == [4.5, 4.25, 4.0]


def test_a_length_reward_without_lengths_is_refused():
    with pytest.raises(T2SError, match="has no limit of tokens"):
        RewardEngine(BoxSegmenter(), Reward(length=1))
    with pytest.raises(T2SError, match="needs the numbers of tokens"):
        RewardEngine(BoxSegmenter(), Reward(length=1), most_tokens=100).judge([], [])


def confident(*said):
    items = [
        {"bbox_2d": list(box), "positive_points": [[box[0], box[1]]] * 2, "confidence": each}
        for box, each in zip((STADIUM, CAR), said, strict=False)
    ]
    return f"<think>t</think><answer>```json{json.dumps(items)}```</answer>"


def test_a_stated_confidence_is_rewarded_for_being_near_the_iou_of_each_mask_or_of_the_union():
    asked = asked_for(TWO, objects=OBJECTS, style="box_2_points_confidence")
    answers = confident(1.0, 1.0), confident(1.0, 0.0), confident(), "unreadable"
    each = judge(asked, *answers, reward=Reward(calibration=1, level="instance"))
    assert [one.rewards["calibration"] for one in each] == [1.0, 0.5, 0.0, 0.0]
    union = judge(asked, *answers, reward=Reward(calibration=1))
    assert [one.rewards["calibration"] for one in union] == [1.0, 0.75, 0.0, 0.0]


def test_a_calibration_reward_with_a_style_that_asks_for_no_confidence_is_refused():
    with pytest.raises(T2SError, match="Train with the style box_2_points_confidence"):
        judge(asked_for(TWO), written(CAR), reward=Reward(calibration=1))
