"""Sample pictures: which completions are drawn, and that what is drawn is where it belongs."""

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from transformers import TrainerControl, TrainerState, TrainingArguments

from evals.datasets.sample import Truth
from evals.run.shards import Shard
from t2s_agent.instance import Instance
from t2s_agent.mask import EMPTY, Mask
from t2s_agent.prompting.frames import Frame, Size
from t2s_agent.prompting.style import DEFAULT_STYLE
from training.pictures import GAP, SIDE, PicturesCallback, chosen, outline, sheet
from training.recipe import load_recipe
from training.rewards.asked import Asked, Judged
from training.run_folder import RunFolder

SIZE = SIDE // 2  # px of the views, so a panel's pixels are half of theirs


@dataclass(frozen=True)
class Rollout:
    asked: Asked
    question: str
    text: str
    judged: Judged


@pytest.fixture
def rollout(view_of):
    def make(total=1.0, *, id="a", box=(10, 30, 80, 90), found=True):
        truth = np.zeros((SIZE, SIZE), bool)
        truth[40:100, 20:80] = True
        union = np.zeros((SIZE, SIZE), bool)
        union[30:90, 20:80] = found
        view = view_of(SIZE, SIZE)
        asked = Asked(id, view, Truth(truth), DEFAULT_STYLE, Frame(Size(SIZE, SIZE), Size(SIZE, SIZE)))
        instance = Instance(box, ((50, 60),), ((100, 20),))
        kind = "" if found else "no answer tags"
        status, instances = ("found", (instance,)) if found else ("unparsable", ())
        judged = Judged({"mask": 0.7, "valid_json": 1.0}, total, 0.7, status, kind, instances, Mask.of(union))
        return Rollout(asked, "Where is the tank?", "<think>a tank</think><answer>...</answer>", judged)

    return make


def test_the_group_with_the_widest_rewards_is_drawn_from_best_to_worst(rollout):
    alike = [rollout(2.0, id="a") for _ in range(8)]
    spread = [rollout(total, id="b") for total in (0.0, 3.0, 1.0, 2.0, 0.5, 2.5, 1.5, 0.2)]
    drawn = chosen([*alike, *spread])
    assert [each.asked.id for each in drawn] == ["b"] * 4
    assert [each.judged.total for each in drawn] == [3.0, 2.0, 0.5, 0.0]
    assert len(chosen(spread[:2])) == 2


def test_the_outline_is_the_rim_of_a_mask():
    mask = np.zeros((5, 6), bool)
    mask[1:4, 1:4] = True
    rim = outline(mask)
    assert rim.sum() == 8
    assert not rim[2, 2]
    assert not outline(np.ones((4, 4), bool)).any()


def test_masks_and_prompts_are_drawn_where_they_are(rollout):
    pixels = np.asarray(sheet([rollout()]))
    left = 2 * GAP + SIDE  # of the first completion's panel; its pixels are twice the view's
    assert tuple(pixels[GAP + 80, left + 40]) == (255, 225, 0)  # the truth's corner (20, 40)
    assert tuple(pixels[GAP + 60, left + 100]) == (255, 255, 255)  # the box's upper edge y = 30
    assert tuple(pixels[GAP + 120, left + 100]) == (40, 220, 80)  # the positive point
    assert tuple(pixels[GAP + 40, left + 200]) == (200, 60, 230)  # the negative point
    plain, painted = pixels[GAP + 70, GAP + 90].astype(int), pixels[GAP + 70, left + 90].astype(int)
    assert np.abs(painted - (plain + (230, 40, 40)) / 2).max() <= 1  # the mask, half transparent
    assert tuple(pixels[GAP + 80, GAP + 40]) == (255, 225, 0)  # the truth is on the left picture too
    assert tuple(pixels[GAP + 120, GAP + 100]) != (40, 220, 80)


def test_a_picture_of_what_cannot_be_read_is_drawn_too(rollout):
    empty = rollout(found=False)
    assert empty.judged.union is EMPTY
    assert sheet([rollout(), empty]).width == 3 * SIDE + 4 * GAP


def state(step):
    return TrainerState(global_step=step)


def test_a_picture_is_saved_every_few_steps_by_the_main_process(rollout, tmp_path):
    arguments, control = TrainingArguments(str(tmp_path / "unused"), report_to=[]), TrainerControl()
    run = RunFolder.begin(tmp_path / "run", load_recipe("nano"))
    callback = PicturesCallback(run, 5, lambda: [rollout(1.0), rollout(2.0)])
    for step in range(1, 12):
        callback.on_step_end(arguments, state(step), control)
    assert sorted(file.name for file in run.pictures.iterdir()) == ["step-000005.png", "step-000010.png"]
    with Image.open(run.pictures / "step-000005.png") as picture:
        assert picture.width == 3 * SIDE + 4 * GAP

    other = RunFolder.begin(tmp_path / "other", load_recipe("nano"), shard=Shard(1, 2))
    PicturesCallback(other, 1, lambda: [rollout()]).on_step_end(arguments, state(1), control)
    PicturesCallback(run, 0, lambda: [rollout()]).on_step_end(arguments, state(1), control)
    assert not other.folder.exists()
    assert len(list(run.pictures.iterdir())) == 2
