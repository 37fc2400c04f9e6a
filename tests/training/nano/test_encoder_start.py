"""Tests what the initial weights of the image encoder do."""

import pytest
import torch

from training.nano.dialogue import fixed_prompt_texts
from training.nano.eye import encode_image
from training.nano.image_tokens import GRID, IS_IMAGE, SIDE
from training.nano.model import build_model
from training.nano.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def fresh_encoder():
    torch.manual_seed(0)
    return build_model(build_tokenizer(fixed_prompt_texts())).model.visual.eval()


@torch.inference_mode()
def test_a_fresh_image_encoder_marks_its_tokens_as_cells(fresh_encoder):
    tokens = encode_image(fresh_encoder, torch.rand(1, 3, SIDE, SIDE) * 2 - 1)
    assert tokens[..., IS_IMAGE].mean() == pytest.approx(1, abs=0.2)


@torch.inference_mode()
def test_the_last_block_has_no_effect_at_first_and_can_average_its_surroundings(fresh_encoder):
    black, dot = torch.full((2, 3, SIDE, SIDE), -1.0)
    dot[:, 224:240, 224:240] = 1.0  # of cell 7, 7
    attention = fresh_encoder.blocks[-1].attn.proj

    def difference():
        tokens = encode_image(fresh_encoder, torch.stack([black, dot]))
        return (tokens[1] - tokens[0]).norm(dim=-1).reshape(GRID, GRID)

    before = difference()
    kept = attention.weight.clone()
    assert not kept.any()
    attention.weight.copy_(torch.eye(len(kept)))
    change = (difference() - before).abs()
    attention.weight.copy_(kept)
    assert change[6:9, 6:9].mean() > 3 * change[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
