"""Completions with shared prompts equal transformers' own, token for token."""

import pytest
import torch
from transformers import GenerationConfig

from training.rollouts.generation import generate

EVEN = [(0, [1])] * 2 + [(4, [2])] * 2 + [(2, [1, 2])] * 2


@pytest.fixture(params=["the product's decoder where it can", "transformers' loop"])
def written_by(request, monkeypatch):
    """Both ways in which tokens are written."""
    if request.param == "transformers' loop":
        monkeypatch.setattr("training.rollouts.generation.is_plain", lambda _: False)


def settings(maker, **changes):
    """Ends at a token that these models draw often, and never writes an image token."""
    config = maker.config
    return GenerationConfig(
        max_new_tokens=12,
        eos_token_id=[3, config.text_config.eos_token_id],
        pad_token_id=config.text_config.pad_token_id,
        suppress_tokens=[config.image_token_id, config.video_token_id],
        **changes,
    )


def transformers_own(maker, batch, config):
    types = (batch.ids == maker.config.image_token_id).int()
    written = maker.model.generate(**batch.inputs, mm_token_type_ids=types, generation_config=config)
    return written[:, batch.ids.shape[1] :].tolist()


def padded(rows, length, pad):
    return [row + [pad] * (length - len(row)) for row in rows]


@pytest.mark.parametrize("rows", [EVEN, EVEN[:-1], EVEN[::-1]])
def test_greedy_tokens_are_those_of_transformers(maker, written_by, rows):
    batch, config = maker.batch(rows), settings(maker, do_sample=False)
    theirs = transformers_own(maker, batch, config)
    mine = generate(maker.model, batch.inputs, config)
    assert padded(mine, len(theirs[0]), config.pad_token_id) == theirs
    assert mine[0] == mine[1] != mine[2] == mine[3]


def test_a_group_is_as_many_rows_one_after_the_other(maker):
    batch, config = maker.batch([(0, [1]), (4, [2])]), settings(maker, do_sample=False)
    once = generate(maker.model, batch.inputs, config)
    assert generate(maker.model, batch.inputs, config, group=3) == [once[0]] * 3 + [once[1]] * 3


def test_samples_are_drawn_with_torchs_random_state(maker, written_by):
    batch = maker.batch([(0, [1]), (4, [2])])
    config = settings(maker, do_sample=True, temperature=1.0, top_k=0, top_p=1.0)

    def drawn(seed):
        torch.manual_seed(seed)
        return generate(maker.model, batch.inputs, config, group=4)

    assert drawn(1) == drawn(1) != drawn(2)
    assert len({tuple(row) for row in drawn(1)}) > 4
    torch.manual_seed(1)
    twice = maker.batch([(0, [1])] * 4 + [(4, [2])] * 4)
    theirs = transformers_own(maker, twice, config)
    assert padded(drawn(1), len(theirs[0]), config.pad_token_id) == theirs


def test_the_tower_and_the_prompts_run_once_for_what_is_distinct(maker, written_by):
    seen: list[object] = []
    maker.model.model.visual.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    layer = maker.model.model.language_model.layers[0]
    layer.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape[:2])))
    batch = maker.batch([(0, [1])] * 2 + [(0, [3])])
    generate(maker.model, batch.inputs, settings(maker, do_sample=False), 2)
    prompt = batch.ids.shape[1]
    assert seen[0] == 2 * 24
    assert seen[1] in ((2, prompt), (2, prompt - 1))
    assert set(seen[2:]) <= {(6, 1)}  # the product's decoder does not call the layers


@pytest.mark.parametrize("reason", ["another family", "no pictures"])
def test_what_cannot_share_runs_by_transformers_alone(maker, monkeypatch, reason):
    batch, config = maker.batch([(0, [1]), (0, [1])]), settings(maker, do_sample=True)
    inputs = batch.inputs | {"mm_token_type_ids": (batch.ids == maker.config.image_token_id).int()}
    if reason == "no pictures":
        inputs = {"input_ids": batch.ids[:, :3], "attention_mask": batch.mask[:, :3]}
    else:
        monkeypatch.setattr("training.rollouts.sharing.FAMILIES", ())
    rows = []
    layer = maker.model.model.language_model.layers[0]
    layer.register_forward_pre_hook(lambda _, args: rows.append(args[0].shape[0]))
    written = generate(maker.model, inputs, config, group=2)
    assert len(written) == 4
    assert set(rows) == {4}
