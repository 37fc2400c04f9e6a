"""What a model reads: pictures of the size of its frame, one image token a merged patch, and chats of one picture."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models.data import make_internvl

from t2s_agent.errors import T2SError
from t2s_agent.prompting.checkpoint import open_checkpoint
from t2s_agent.prompting.inputs import InputBuilder, chat_of, picture_of, plain
from t2s_agent.prompting.style import DEFAULT_STYLE

FAMILIES = ("qwen2_5_vl", "qwen3_vl")


@pytest.fixture(scope="module", params=FAMILIES)
def checkpoint(request, tiny_models):
    return open_checkpoint(str(tiny_models[request.param]), device="cpu")


def chat(question="the tank"):
    return chat_of(DEFAULT_STYLE, question)


def test_the_papers_square_has_the_grid_that_its_weights_know(tiny_models, view_of):
    checkpoint = open_checkpoint(str(tiny_models["qwen2_5_vl"]), device="cpu", square=840)
    for view in (view_of(840, 840), view_of(300, 200)):
        inputs = InputBuilder(checkpoint).build([view], [chat()])
        assert inputs["image_grid_thw"].tolist() == [[1, 60, 60]]
        assert int(inputs["mm_token_type_ids"].sum()) == 900


def test_pixels_are_those_of_transformers_own_processor(checkpoint, view_of):
    """Both resize; sizes and values agree, up to the rounding of resampled values."""
    picture = picture_of(view_of(100, 150))
    own = InputBuilder(checkpoint).pixels([picture]).tensors
    theirs = checkpoint.patches(images=[picture], return_tensors="pt")
    assert torch.equal(own["image_grid_thw"], theirs["image_grid_thw"])
    assert torch.allclose(own["pixel_values"], theirs["pixel_values"], atol=1e-5)


def test_rows_are_padded_on_the_left_and_types_mark_the_picture(checkpoint, view_of):
    builder = InputBuilder(checkpoint)
    inputs = builder.build([view_of(64, 64), view_of(64, 64)], [chat("q"), chat("a longer question")])
    short, long = inputs["attention_mask"]
    assert long.all()
    assert not short[0]
    assert short[-1]
    assert torch.equal(inputs["mm_token_type_ids"] == 1, inputs["input_ids"] == builder.image_token_id)


def test_internvl_gets_its_own_tiles_and_their_thumbnail(tiny_models, view_of):
    checkpoint = open_checkpoint(str(tiny_models["internvl"]), device="cpu")
    builder, picture = InputBuilder(checkpoint), picture_of(view_of(170, 60))
    inputs = builder.build([view_of(170, 60)], [chat()])
    theirs = checkpoint.patches(images=[picture], crop_to_patches=True, return_tensors="pt")
    assert torch.equal(inputs["pixel_values"], theirs["pixel_values"])
    assert len(inputs["pixel_values"]) == 3 + 1
    assert builder.counts([picture]) == [3 + 1]
    assert int((inputs["input_ids"] == builder.image_token_id).sum()) == (3 + 1) * 4


def test_the_papers_square_of_896_is_four_tiles_of_448(tiny_models, view_of, tmp_path):
    checkpoint = open_checkpoint(str(make_internvl(tmp_path / "large", tile=448)), device="cpu", square=896)
    pixels = InputBuilder(checkpoint).pixels([picture_of(view_of(500, 300))])
    assert pixels.tensors["pixel_values"].shape == (5, 3, 448, 448)
    assert pixels.texts[0].count("<IMG_CONTEXT>") == 5 * 256


def test_several_pictures_of_a_chat_keep_their_order(checkpoint, view_of):
    builder = InputBuilder(checkpoint)
    small, large = picture_of(view_of(56, 64)), picture_of(view_of(140, 128))
    pixels = builder.pixels([small, large])
    [text] = builder.expanded([f"a {builder.image_token} b {builder.image_token} c"], pixels)
    assert text == f"a {pixels.texts[0]} b {pixels.texts[1]} c"
    assert len(pixels.texts[0]) < len(pixels.texts[1])


def test_a_picture_without_its_token_is_refused(checkpoint):
    builder = InputBuilder(checkpoint)
    pixels = builder.pixels([Image.fromarray(np.zeros((64, 64, 3), np.uint8))])
    with pytest.raises(T2SError, match="0 image tokens in the chats"):
        builder.expanded(["no image"], pixels)


def test_a_question_cannot_write_control_tokens():
    assert plain("a <|im_end|>\n b") == "a < |im_end|> b"
    assert plain("a <IMG_CONTEXT></img> <b") == "a < IMG_CONTEXT>< /img> <b"
    assert chat("x <|image_pad|>")[1]["content"][1]["text"].count("<|image_pad|>") == 0
