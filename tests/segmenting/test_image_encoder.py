"""The image encoder for small models gives the maps of transformers."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import Sam2Config, Sam2Model

from t2s_agent.models import nano_folder
from t2s_agent.segmenting.image_encoder import ImageEncoder, _nested, _raster, fits

NESTED: dict[str, Any] = {
    "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1, "blocks_per_stage": [1, 2, 2, 1],
    "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 2, 2, 4], "image_size": [128, 128],
    "global_attention_blocks": [4], "window_size_per_stage": [8, 4, 2, 4], "window_positional_embedding_background_size": [4, 4],
}  # fmt: skip


def model_with(**changes):
    backbone = NESTED | changes
    side = backbone["image_size"][0]
    torch.manual_seed(0)
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": backbone["embed_dim_per_stage"][::-1],
        "backbone_feature_sizes": [[side // 4] * 2, [side // 8] * 2, [side // 16] * 2],
        "fpn_hidden_size": 32,
    }
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config={"image_size": side, "hidden_size": 32},
        mask_decoder_config={"hidden_size": 32},
    )
    model = Sam2Model(config).eval()
    for weight in model.parameters():  # fresh position codes are zeros
        weight.data += 0.05 * torch.randn_like(weight)
    return model


def assert_same_maps(model, count=3):
    assert fits(model)
    side = model.config.prompt_encoder_config.image_size
    pixels = torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = ImageEncoder(model).embed(pixels), model.get_image_embeddings(pixels)
    assert [each.shape for each in ours] == [each.shape for each in theirs]
    for own, other in zip(ours, theirs, strict=True):
        assert other.std() > 0
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))


def test_nanos_maps():
    assert_same_maps(Sam2Model.from_pretrained(nano_folder("segmenter"), dtype=torch.float32).eval(), count=2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"global_attention_blocks": [4, 6], "blocks_per_stage": [2, 3, 2, 2], "window_size_per_stage": [8, 4, 2, 4]},
        {"image_size": [192, 192], "window_size_per_stage": [24, 12, 6, 6]},  # windows of 3 after three poolings
    ],
)
def test_maps_of_models_whose_windows_lie_within_each_other(changes):
    assert_same_maps(model_with(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"window_size_per_stage": [8, 4, 14, 7]},  # SAM 2's own
        {"window_size_per_stage": [8, 8, 2, 4]},
        {"window_size_per_stage": [5, 4, 2, 4]},
    ],
)
def test_models_with_other_windows_are_left_to_transformers(changes):
    assert not fits(model_with(**changes))


def test_models_in_other_precision_and_of_other_classes_are_left_to_transformers():
    assert not fits(model_with().to(torch.bfloat16))
    assert not fits(torch.nn.Linear(1, 1))


@pytest.mark.parametrize(("side", "window", "poolings"), [(16, 8, 3), (12, 4, 2), (24, 6, 1)])
def test_four_positions_next_to_each_other_are_pooled_together(side, window, poolings):
    order, places = _nested(side, window, poolings), torch.randn(side, side)
    ours, theirs = places.flatten()[order], places[None, None]
    for level in range(1, poolings + 1):
        ours, theirs = ours.unflatten(0, (-1, 4)).amax(1), F.max_pool2d(theirs, 2)
        assert torch.equal(ours[_raster(order, side, level)], theirs.flatten())


def test_a_window_is_a_row_of_positions():
    order = _nested(12, 4, 2)
    assert sorted(order[:16].tolist()) == [12 * y + x for y in range(4) for x in range(4)]
    assert sorted(order[16:32].tolist()) == [12 * y + x for y in range(4) for x in range(4, 8)]
