"""Two turns in training: both ways of asking for the second, its masks in the loss, and its reward by the final masks."""

import json

import pytest
import torch
import trl
from trl.chat_template_utils import qwen3_vl_chat_template

from t2s_agent.errors import T2SError
from t2s_agent.prompting.inputs import picture_of
from t2s_agent.segmenting.box import BoxSegmenter
from training.data import open_questions
from training.multi_turn.trainer import TwoTurnTrainer, next_turn
from training.policy import open_policy
from training.recipe import load_recipe
from training.rewards.engine import RewardEngine

GROUP = 2
ANSWER = [{"bbox_2d": [100, 100, 500, 500], "positive_points": [[200, 200], [300, 300]]}]  # in 0 to 1000
IN_PIXELS = [{"bbox_2d": [5, 5, 40, 40], "positive_points": [[10, 10], [20, 20]]}]
BY_TEXT = f"<think></think><answer>```json{json.dumps(ANSWER)}```</answer>"
BY_TOOL = f"<tool_call>\n{json.dumps({'name': 'look', 'arguments': {'instances': ANSWER}})}\n</tool_call>"
DROP = '<think></think><answer>{"drop": [1]}</answer>'


def recipe(folder, *changes):
    source = "data.train=[{dataset: procedural, split: train, options: {count: 2, size: 64}}]"
    sizes = [f"rollout.group={GROUP}", "optimizer.prompts=1", "optimizer.per_device=2", "rollout.max_new_tokens=8"]
    rest = ["run.report_to=[]", "optimizer.steps=2", "optimizer.learning_rate=1e-3", "data.validation=[]"]
    turns = ["rollout.turns=2", "rollout.engine=transformers", "objective.beta=0.1"]
    return load_recipe("nano", [f"policy.name={folder}", source, *sizes, *rest, *turns, *changes])


@pytest.fixture
def made(tiny_models, tmp_path):
    """Makes a trainer of a tiny model: `made(family, *changes, tools=False)`; with `tools` it has Qwen3-VL's own template."""

    def make(family, *changes, tools=False):
        settings = recipe(tiny_models.get(family, family), *changes)
        opened = open_policy(settings.policy, device="cpu")
        if tools:
            opened.processor.tokenizer.chat_template = opened.processor.chat_template = qwen3_vl_chat_template
        segmenter = BoxSegmenter()
        return TwoTurnTrainer(
            settings,
            opened,
            open_questions(settings),
            RewardEngine(segmenter, settings.reward),
            tmp_path,
            steps=settings.optimizer.steps,
            segmenter=segmenter,
        )

    return make


def write(trainer, monkeypatch, *turns):
    """Lets the policy write these texts, one a turn, or one for each of a group; returns the prompts of each turn."""
    prompts = []

    def drawn(self, prompt_ids, images, fields, num_generations, has_tool_images=False):
        said = turns[len(prompts) % len(turns)]
        texts = [said] * len(prompt_ids) if isinstance(said, str) else said
        prompts.append([list(ids) for ids in prompt_ids])
        tokenized = self._tokenizer([f"{text}<|im_end|>" for text in texts], add_special_tokens=False)["input_ids"]
        return [list(ids) for ids in tokenized], None

    monkeypatch.setattr(trl.GRPOTrainer, "_generate_single_turn", drawn)
    return prompts


def batch_of(trainer):
    """One generation, as the trainer makes it for a step."""
    trainer.model.train()
    return trainer._generate_and_score_completions([{"row": 0}, {"row": 0}])


@pytest.mark.parametrize("tools", [False, True], ids=["second question", "tool"])
def test_what_the_policy_did_not_write_has_no_loss(made, monkeypatch, tools):
    trainer = made("qwen3_vl", "rollout.max_new_tokens=400", tools=tools)
    assert trainer.by_tools == tools
    prompts = write(trainer, monkeypatch, BY_TOOL if tools else BY_TEXT, DROP)
    batch = batch_of(trainer)
    first, second = (
        trainer._tokenizer(text + "<|im_end|>", add_special_tokens=False)["input_ids"]
        for text in (BY_TOOL if tools else BY_TEXT, DROP)
    )
    ids, mask = batch["completion_ids"][0], batch["tool_mask"][0].bool()
    assert ids[mask].tolist() == [*first, *second]
    shown = ids[~mask].tolist()
    assert shown.count(trainer.opened.processor.image_token_id) == 4  # 64 px: 4 x 4 patches, merged
    assert prompts[1][0] == [*prompts[0][0], *first, *shown]
    assert batch["image_grid_thw"].tolist() == [[1, 4, 4]] * 4  # two pictures a rollout
    assert batch["num_images"] == [2, 2]


@pytest.mark.parametrize("tools", [False, True], ids=["second question", "tool"])
def test_the_reward_is_that_of_the_masks_after_the_correction(made, monkeypatch, tools):
    trainer = made("qwen3_vl", "rollout.max_new_tokens=400", tools=tools)
    write(trainer, monkeypatch, BY_TOOL if tools else BY_TEXT, DROP)
    batch_of(trainer)
    for rollout in trainer.last:
        assert not rollout.judged.union.full(64, 64).any()  # its one mask was dropped
        assert rollout.judged.rewards["mask"] == float(not rollout.asked.truth.mask.any())
        assert rollout.judged.rewards["valid_json"] == 1.0


def test_an_answer_without_the_tool_has_one_turn(made, monkeypatch):
    trainer = made("qwen3_vl", "rollout.max_new_tokens=400", tools=True)
    prompts = write(trainer, monkeypatch, BY_TEXT)
    batch_of(trainer)
    assert len(prompts) == 1
    assert trainer.last[0].judged.union.area > 0


def test_a_cut_answer_has_no_second_turn(made, monkeypatch):
    trainer = made("qwen3_vl")

    def cut(self, prompt_ids, *_, **__):
        return [[5, 6, 7] for _ in prompt_ids], None

    monkeypatch.setattr(trl.GRPOTrainer, "_generate_single_turn", cut)
    assert batch_of(trainer)["completion_ids"].tolist() == [[5, 6, 7]] * 2


@pytest.mark.parametrize("tools", [False, True], ids=["second question", "tool"])
def test_a_picture_without_room_in_the_context_is_counted(made, monkeypatch, tools):
    trainer = made("qwen3_vl", "rollout.max_new_tokens=400", tools=tools)
    counted = {}
    monkeypatch.setattr(trainer, "_log_metric", counted.__setitem__)
    prompts = write(trainer, monkeypatch, BY_TOOL if tools else BY_TEXT)
    trainer.opened.checkpoint.model.config.text_config.max_position_embeddings = 1000 if tools else 1500
    batch_of(trainer)
    assert len(prompts) == 1
    assert counted["turns/overlong"] == 1.0
    assert counted["turns/shown"] == 1.0
    assert trainer.last[0].judged.union.area > 0  # the first masks count


@pytest.mark.parametrize(("family", "tools"), [("qwen2_5_vl", False), ("qwen3_vl", False), ("qwen3_vl", True)])
def test_a_step_of_two_turns_learns_from_what_corrections_change(made, monkeypatch, family, tools):
    trainer = made(family, "rollout.max_new_tokens=400", tools=tools)
    first = BY_TOOL if tools else BY_TEXT
    if family == "qwen2_5_vl":
        first = first.replace(json.dumps(ANSWER), json.dumps(IN_PIXELS))
    write(trainer, monkeypatch, first, [DROP, DROP.replace("[1]", "[]")])
    before = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}
    trainer.train()
    assert trainer.state.global_step == 2
    logged = [line for line in trainer.state.log_history if "turns/shown" in line]
    assert [(line["turns/shown"], line["turns/corrected"]) for line in logged] == [(1.0, 0.5)] * 2
    assert [line["groups/spread"] > 0 for line in logged] == [True, True]
    assert any(not torch.equal(weight, before[name]) for name, weight in trainer.model.named_parameters())


@pytest.mark.parametrize(("family", "tools"), [("qwen2_5_vl", False), ("qwen3_vl", True)])
def test_two_steps_by_what_the_policy_itself_writes(made, family, tools):
    trainer = made(family, tools=tools)
    trainer.train()
    assert trainer.state.global_step == 2


@pytest.mark.slow
def test_nano_runs_two_steps_and_has_no_words_for_a_correction(made):
    """Its vocabulary has no key `drop`, and it was never taught a second turn: it can run, not profit."""
    trainer = made("nano", "rollout.max_new_tokens=16")
    assert len(trainer.opened.processor.tokenizer('"drop"', add_special_tokens=False)["input_ids"]) > 3  # letters
    trainer.train()
    assert trainer.state.global_step == 2
    logged = [line for line in trainer.state.log_history if "turns/shown" in line]
    assert all(line["turns/gain"] == 0.0 for line in logged)


def test_the_second_turn_is_what_the_chat_template_writes_for_the_whole_talk(made, view_of):
    opened = made("qwen2_5_vl").opened
    content = [{"type": "image", "image": picture_of(view_of(56, 56))}, {"type": "text", "text": "Correct it."}]
    talk = [
        {"role": "user", "content": [{"type": "text", "text": "q"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
        {"role": "user", "content": content},
    ]
    whole = opened.processor.apply_chat_template([talk], tokenize=True, return_dict=True, add_generation_prompt=True)
    ids = whole["input_ids"][0]
    suffix = next_turn(opened, content)
    assert ids[-len(suffix) :] == suffix
    assert ids[: -len(suffix)][-1] == opened.processor.tokenizer.eos_token_id


def test_families_whose_second_picture_trl_cannot_place_are_refused(made):
    with pytest.raises(T2SError, match="is of the family internvl"):
        made("internvl")


@pytest.mark.parametrize("change", ["rollout.engine=shared", "objective.resample=1", "reward.level=instance"])
def test_what_two_turns_cannot_be_combined_with_is_refused(change):
    with pytest.raises(T2SError, match="two turns"):
        recipe("nano", change)


def test_rows_of_one_and_of_two_pictures_score_as_each_row_alone(made, monkeypatch):
    trainer = made("qwen3_vl", "rollout.max_new_tokens=400")
    cut = [5, 6, 7]

    def drawn(self, prompt_ids, images, fields, num_generations, has_tool_images=False):
        ended = self._tokenizer(f"{DROP if has_tool_images else BY_TEXT}<|im_end|>", add_special_tokens=False)
        return [ended["input_ids"], cut][: len(prompt_ids)], None

    monkeypatch.setattr(trl.GRPOTrainer, "_generate_single_turn", drawn)
    batch = batch_of(trainer)
    assert batch["num_images"] == [2, 1]
    whole = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    length = batch["completion_ids"].shape[1]
    pictures = {key: batch[key] for key in ("pixel_values", "image_grid_thw", "num_images", "mm_token_type_ids")}
    with torch.no_grad():
        scores, *_ = trainer._get_per_token_logps_and_entropies(trainer.model, whole, mask, length, **pictures)
    patches = batch["pixel_values"].split([32, 16])
    grids = batch["image_grid_thw"].split([2, 1])
    for row in (0, 1):
        kept = mask[row].bool()
        ids = whole[row][kept][None]
        alone = {"pixel_values": patches[row], "image_grid_thw": grids[row]}
        types = (ids == trainer.opened.processor.image_token_id).int()
        model = open_policy(trainer.recipe.policy, device="cpu").model  # TRL changes the forward of its own
        with torch.no_grad():
            logits = model(input_ids=ids, mm_token_type_ids=types, **alone).logits[0, :-1]
        expected = logits.log_softmax(-1).gather(-1, ids[0, 1:, None])[:, 0]
        written = int(batch["completion_mask"][row].sum())
        torch.testing.assert_close(scores[row, :written], expected[-written:], atol=1e-5, rtol=1e-4)
