"""The trainer: TRL's steps with shared rollouts, rewards by masks, given completions and whole checkpoints."""

import json

import numpy as np
import pytest
import torch
from transformers import TrainerCallback, set_seed

from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from training.checkpoints import newest
from training.data import open_questions
from training.policy import open_policy
from training.recipe import load_recipe
from training.rewards.asked import Judged
from training.trainer import MaskGRPOTrainer, _groups

GROUP = 4
NOTHING = Mask.of(np.zeros((0, 0), bool))


class ByLength:
    """Gives a reward by a completion's length; `equal` so many times gives one reward for all first."""

    def __init__(self, equal=0):
        self.equal = equal
        self.calls = []

    def judge(self, asked, completions, tokens):
        self.calls.append([each.id for each in asked])
        flat = len(self.calls) <= self.equal
        return [self._judged(0.5 if flat else (len(text) % 7) / 7) for text in completions]

    @staticmethod
    def _judged(reward):
        rewards = {"mask": reward, "valid_json": 0.0, "valid_tags": 0.0}
        return Judged(rewards, 2 * reward, reward, "unparsable", "no_answer", (), NOTHING)


class StopAfterOne(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = True


def recipe(folder, *changes):
    source = "data.train=[{dataset: procedural, split: train, options: {count: 3, size: 64}}]"
    sizes = [f"rollout.group={GROUP}", "optimizer.prompts=2", "optimizer.per_device=8", "rollout.max_new_tokens=6"]
    rest = [
        "run.report_to=[]",
        "optimizer.steps=4",
        "optimizer.learning_rate=1e-3",
        "run.save_every=2",
        "data.validation=[]",
    ]
    named = [f"policy.name={folder}", "objective.beta=0.1", source]
    return load_recipe("nano", [*named, *sizes, *rest, *changes])


@pytest.fixture
def made(tiny_models, tmp_path):
    """Makes a trainer of a tiny Qwen3-VL: `made(*changes, judge=ByLength(), out=tmp_path)`."""

    def make(*changes, judge=None, out=tmp_path, family="qwen3_vl"):
        settings = recipe(tiny_models[family], *changes)
        opened = open_policy(settings.policy, device="cpu")
        questions = open_questions(settings)
        return MaskGRPOTrainer(settings, opened, questions, judge or ByLength(), out, steps=settings.optimizer.steps)

    return make


def weights(trainer):
    return {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}


def logged(trainer, name):
    return [line[name] for line in trainer.state.log_history if name in line]


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "internvl"])
def test_two_steps_move_the_weights_and_log_each_reward(made, family):
    judge = ByLength()
    trainer = made("optimizer.steps=2", judge=judge, family=family)
    before = weights(trainer)
    trainer.train()
    moved = [name for name, weight in weights(trainer).items() if not torch.equal(weight, before[name])]
    assert moved
    assert not any("visual" in name or "vision_tower" in name for name in moved)  # frozen
    assert len(logged(trainer, "rewards/mask/mean")) == len(logged(trainer, "rewards/valid_json/mean")) == 2
    assert all(value > 0 for value in logged(trainer, "groups/spread"))
    assert logged(trainer, "answers/unparsable") == [1.0, 1.0]
    assert logged(trainer, "answers/unparsable/no_answer") == [1.0, 1.0]
    assert judge.calls[0] == [id_ for id_ in dict.fromkeys(judge.calls[0]) for _ in range(GROUP)]


def test_questions_come_in_the_order_of_the_schedule(made):
    judge = ByLength()
    trainer = made("optimizer.steps=2", judge=judge)
    trainer.train()
    asked = [id_ for call in judge.calls for id_ in dict.fromkeys(call)]
    assert asked == [trainer.questions.schedule.at(number).id for number in range(4)]


def test_the_last_rollouts_are_kept_for_pictures(made):
    trainer = made("optimizer.steps=1")
    trainer.train()
    assert len(trainer.last) == 8
    assert {each.asked.id for each in trainer.last} == {trainer.questions.schedule.at(number).id for number in (0, 1)}
    assert all(len(each.text) <= 64 for each in trainer.last)


def test_groups_without_spread_are_drawn_again_and_counted(made):
    judge = ByLength(equal=2)
    trainer = made("objective.resample=3", "optimizer.steps=1", judge=judge)
    trainer.train()
    assert len(judge.calls) == 3
    assert logged(trainer, "groups/redrawn") == [2.0]  # all of them, twice
    assert all(value > 0 for value in logged(trainer, "groups/spread"))


def test_groups_without_spread_stay_when_told_so(made):
    judge = ByLength(equal=9)
    trainer = made("optimizer.steps=1", judge=judge)
    trainer.train()
    assert len(judge.calls) == 1
    assert logged(trainer, "frac_reward_zero_std") == [1.0]


def given(trainer, file, steps):
    """A file of completions for a trainer's questions, whose lengths differ."""
    prompts = trainer.recipe.optimizer.prompts
    lines = [
        {
            "step": step,
            "id": trainer.questions.schedule.at(step * prompts + number).id,
            "texts": [f"{'ab' * (1 + (step + number + place) % 2)}{place}" for place in range(GROUP)],
        }
        for step in range(steps)
        for number in range(prompts)
    ]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    return file


def test_completions_are_taken_from_a_file(made, tmp_path):
    file = given(made(), tmp_path / "given.jsonl", 2)
    trainer = made(f"rollout.completions={file}", "optimizer.steps=2")
    trainer.train()
    assert [each.text for each in trainer.last[:GROUP]] == ["abab0", "ab1", "abab2", "ab3"]
    assert logged(trainer, "completions/clipped_ratio") == [0.0, 0.0]


def test_sharing_prompts_changes_neither_loss_nor_weights(made, tmp_path):
    file = given(made(), tmp_path / "given.jsonl", 3)
    ways = [f"rollout.completions={file}", "optimizer.steps=3", "optimizer.per_device=4"]
    shared, plain = (
        made(*ways, f"rollout.engine={engine}", out=tmp_path / engine) for engine in ("shared", "transformers")
    )
    shared.train()
    plain.train()
    assert logged(shared, "loss") == pytest.approx(logged(plain, "loss"), abs=1e-5)
    assert logged(shared, "kl") == pytest.approx(logged(plain, "kl"), abs=1e-6)
    for name, weight in weights(plain).items():
        torch.testing.assert_close(weights(shared)[name], weight, atol=2e-5, rtol=0, msg=name)


@pytest.mark.parametrize("adapted", [(), ("policy.lora={rank: 4}", "policy.freeze_vision=false")], ids=["full", "LoRA"])
def test_a_stopped_run_goes_on_bit_for_bit(made, tmp_path, adapted):
    def begun(out):
        set_seed(1)  # new adapters are random
        return made("run.save_every=1", "optimizer.steps=2", *adapted, out=out)

    whole = begun(tmp_path / "whole")
    whole.train()
    first = begun(tmp_path / "parts")
    first.add_callback(StopAfterOne())
    first.train()
    assert first.state.global_step == 1
    second = begun(tmp_path / "parts")
    second.train(resume_from_checkpoint=str(newest(tmp_path / "parts" / "checkpoints")))
    assert logged(second, "loss") == logged(whole, "loss")
    for name, weight in weights(whole).items():
        assert torch.equal(weights(second)[name], weight), name


def test_after_a_resume_the_reference_is_still_the_start(made, tiny_models, tmp_path):
    made("optimizer.steps=2").train()
    again = made("optimizer.steps=2")
    again.train(resume_from_checkpoint=str(newest(tmp_path / "checkpoints")))
    start = open_policy(recipe(tiny_models["qwen3_vl"]).policy, device="cpu").model
    reference = dict(again.ref_model.named_parameters())
    assert all(torch.equal(reference[name], weight) for name, weight in start.named_parameters())
    moved = "model.language_model.embed_tokens.weight"
    assert not torch.equal(weights(again)[moved], reference[moved])


def test_a_reference_that_is_not_the_start_is_refused(tiny_models, tmp_path):
    settings = recipe(tiny_models["qwen3_vl"])
    opened = open_policy(settings.policy, device="cpu")
    with torch.no_grad():
        opened.model.lm_head.weight.add_(0.01)
    with pytest.raises(T2SError, match="differs from the policy's start in model"):
        MaskGRPOTrainer(settings, opened, open_questions(settings), ByLength(), tmp_path, steps=4)


def test_checkpoints_are_whole_and_few(made, tmp_path):
    made("run.keep=1", "run.save_every=1", "optimizer.steps=2").train()
    [folder] = list((tmp_path / "checkpoints").iterdir())
    assert folder == newest(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "checkpoint-2"
    saved = {file.name for file in folder.iterdir()}
    assert {"model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"} <= saved
    assert {"tokenizer.json", "preprocessor_config.json", "complete.json"} <= saved


def test_no_checkpoint_is_written_within_a_generation(made):
    trainer = made("objective.iterations=2", "run.save_every=2")
    trainer._step = 1
    with pytest.raises(RuntimeError, match="within a generation"):
        trainer._save_checkpoint(trainer.model, None)


def test_a_completion_with_a_stray_image_token_stops_the_run(made, tmp_path):
    trainer = made()
    file = given(trainer, tmp_path / "given.jsonl", 1)
    file.write_text(file.read_text().replace('"abab0"', '"a<|image_pad|>"'))
    with pytest.raises((T2SError, RuntimeError), match="image tokens"):
        made(f"rollout.completions={file}", "optimizer.steps=1").train()


def test_image_tokens_are_suppressed_in_sampling(made):
    trainer = made()
    config = trainer.model.config
    assert trainer.generation_config.suppress_tokens == [config.image_token_id, config.video_token_id]


def test_groups_are_equal_rows_that_follow_each_other():
    assert _groups([3, 3, 5, 5, 5, 3]) == [[0, 1], [2, 3, 4], [5]]
