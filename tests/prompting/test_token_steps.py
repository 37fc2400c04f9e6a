"""Tokens one by one give the logits that transformers gives for all of them together; `test_decoding.py` compares whole answers."""

import pytest
import torch
from transformers import DynamicCache

from t2s_agent.prompting.decoding import prefill
from t2s_agent.prompting.local import TransformersPrompter
from t2s_agent.prompting.token_steps import ROOM, TextWeights, TokenSteps


@pytest.fixture(scope="module")
def tiny(tiny_models):
    return TransformersPrompter.load(tiny_models["qwen3_vl"], device="cpu")


def prompts(tiny, view_of, questions):
    views = [view_of(96, 96, seed=seed) for seed in range(len(questions))]
    return tiny._inputs(views, [tiny._messages(question) for question in questions])


@pytest.mark.parametrize(
    ("questions", "rows"), [(["a"], 1), (["a", "a longer question"], 2), (["a", "a longer one"], 6)]
)
def test_logits_after_more_tokens_than_there_is_room_for_at_first(tiny, view_of, questions, rows):
    model, inputs = tiny._model, prompts(tiny, view_of, questions)
    tokens = torch.randint(5, 50, (rows, ROOM + 3), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        steps = TokenSteps(TextWeights.of(model), prefill(model, inputs), rows)
        ours = torch.stack([steps.step(column) for column in tokens.T.tolist()], 1)
        theirs = _by_transformers(model, inputs, tokens)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_several_tokens_of_a_row_in_one_step_and_tokens_taken_back(tiny, view_of):
    model, inputs = tiny._model, prompts(tiny, view_of, ["a"])
    tokens = torch.randint(5, 50, (1, ROOM + 6), generator=torch.Generator().manual_seed(0))
    whole = tokens[0].tolist()
    with torch.inference_mode():
        steps = TokenSteps(TextWeights.of(model), prefill(model, inputs), 1)
        some = [steps.step(whole[:3]), *(steps.step([token]) for token in whole[3 : ROOM - 2])]
        steps.step([7, 8, 9])
        steps.forget(3)
        ours = torch.cat([*some, steps.step(whole[ROOM - 2 :])])
        theirs = _by_transformers(model, inputs, tokens)
    torch.testing.assert_close(ours[None], theirs, rtol=1e-3, atol=1e-3)


def test_several_tokens_after_a_padded_prompt(tiny, view_of):
    model, both = tiny._model, prompts(tiny, view_of, ["a", "a longer question"])
    grids = both["image_grid_thw"][:1]
    padded = {key: both[key][:1] for key in ("input_ids", "attention_mask", "mm_token_type_ids")}
    padded |= {"image_grid_thw": grids, "pixel_values": both["pixel_values"][: int(grids.prod())]}
    assert (padded["attention_mask"] == 0).any()
    with torch.inference_mode():
        weights, start = TextWeights.of(model), prefill(model, padded)
        one, several = TokenSteps(weights, start, 1), TokenSteps(weights, start, 1)
        ours = torch.cat([one.step([token]) for token in (7, 8, 9)])
        torch.testing.assert_close(several.step([7, 8, 9]), ours, rtol=1e-4, atol=1e-4)


def _by_transformers(model, inputs, tokens):
    """Logits (B, N, V) after each token, in one pass over prompt and tokens."""
    group = len(tokens) // len(inputs["input_ids"])
    repeated = {
        key: inputs[key].repeat_interleave(group, 0) for key in ("input_ids", "attention_mask", "mm_token_type_ids")
    }
    sizes, grids = inputs["image_grid_thw"].prod(-1).tolist(), inputs["image_grid_thw"]
    pixels = torch.cat([each.repeat(group, 1) for each in inputs["pixel_values"].split(sizes)])
    whole = {
        "input_ids": torch.cat([repeated["input_ids"], tokens], 1),
        "attention_mask": torch.cat([repeated["attention_mask"], torch.ones_like(tokens)], 1),
        "mm_token_type_ids": torch.cat([repeated["mm_token_type_ids"], torch.zeros_like(tokens)], 1),
    }
    output = model(
        **whole,
        pixel_values=pixels,
        image_grid_thw=grids.repeat_interleave(group, 0),
        past_key_values=DynamicCache(config=model.config),
        use_cache=True,
        logits_to_keep=tokens.shape[1],
    )
    return output.logits


def test_later_changes_of_the_model_are_not_seen(tiny, view_of):
    import copy

    model = copy.deepcopy(tiny._model)
    with torch.inference_mode(False), torch.no_grad():
        weights, start = TextWeights.of(model), prefill(model, prompts(tiny, view_of, ["a"]))
        before = TokenSteps(weights, start, 1).step([7])
        model.lm_head.weight.mul_(2)
        model.model.language_model.layers[0].mlp.down_proj.weight.mul_(2)
        assert torch.equal(TokenSteps(weights, start, 1).step([7]), before)
        assert not torch.equal(TokenSteps(TextWeights.of(model), start, 1).step([7]), before)
