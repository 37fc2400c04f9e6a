"""The mask decoder with the View's part done once, beside transformers' own."""

import pytest
import torch
from transformers import Sam2Model

from t2s_agent.models import nano_folder
from t2s_agent.segmenting.mask_decoder import MaskDecoder

SIDE = 192  # of nano's input


@pytest.fixture(scope="module")
def model():
    """nano's, whose weights are trained: with random ones all masks look alike."""
    return Sam2Model.from_pretrained(nano_folder("segmenter"), dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def maps(model):
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return model.get_image_embeddings(pixels)


def prompts_of(kind, count=5):
    drawn = torch.Generator().manual_seed(2)
    corners = torch.rand(1, count, 2, generator=drawn) * SIDE / 2
    points = {
        "input_points": torch.rand(1, count, 3, 2, generator=drawn) * SIDE,
        "input_labels": torch.tensor([1, 1, 0]).expand(1, count, 3),
    }
    boxes = {"input_boxes": torch.cat([corners, corners + SIDE / 3], -1)}
    return {"points": points, "boxes": boxes, "both": points | boxes}[kind]


def both(model, maps, given):
    """The logits and estimates of IoU of our decoder and of transformers."""
    absent = dict.fromkeys(("input_points", "input_labels", "input_boxes", "input_masks"))
    with torch.inference_mode():
        decoder = MaskDecoder(model)
        tokens, _ = model.prompt_encoder(**absent | given)
        logits, quality = decoder.logits(decoder.prepare(maps), tokens[0])
        out = model(image_embeddings=maps, multimask_output=False, **given)
    return (logits, quality), (out.pred_masks[0, :, 0], out.iou_scores[0, :, 0])


@pytest.mark.parametrize("kind", ["points", "boxes", "both"])
def test_logits_and_estimates_are_transformers_own(model, maps, kind):
    (logits, quality), (theirs, their_quality) = both(model, maps, prompts_of(kind))
    assert logits.shape == theirs.shape == (5, SIDE // 4, SIDE // 4)
    assert theirs.std() > 1
    torch.testing.assert_close(logits, theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(quality, their_quality, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("threshold", [0.0, 2.0])
def test_an_unstable_mask_is_replaced_by_the_best_of_the_others_as_there(model, maps, threshold, monkeypatch):
    monkeypatch.setattr(model.mask_decoder, "dynamic_multimask_stability_thresh", threshold)
    (logits, quality), (theirs, their_quality) = both(model, maps, prompts_of("both"))
    torch.testing.assert_close(logits, theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(quality, their_quality, rtol=1e-4, atol=1e-4)


def test_without_that_replacement_the_first_mask_is_taken(model, maps, monkeypatch):
    monkeypatch.setattr(model.mask_decoder, "dynamic_multimask_via_stability", False)
    (logits, _), (theirs, _) = both(model, maps, prompts_of("both"))
    torch.testing.assert_close(logits, theirs, rtol=1e-4, atol=1e-4)


def test_on_a_cpu_fewer_prompts_are_decoded_together_the_larger_the_image_is(model):
    decoder = MaskDecoder(model)
    assert decoder.at_once == 32
    decoder._positions = torch.zeros(64 * 64, 256)
    assert decoder.at_once == 2


def test_prompts_about_a_view_each_are_decoded_as_one_by_one(model):
    pixels = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        decoder, maps = MaskDecoder(model), model.get_image_embeddings(pixels)
        absent = dict.fromkeys(("input_points", "input_labels", "input_boxes", "input_masks"))
        tokens = model.prompt_encoder(**absent | prompts_of("both", 4))[0][0]
        logits, quality = decoder.logits(decoder.prepare_each(maps), tokens)
        for at in range(4):
            own = decoder.prepare([each[at : at + 1] for each in maps])
            alone, own_quality = decoder.logits(own, tokens[at : at + 1])
            torch.testing.assert_close(logits[at : at + 1], alone, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(quality[at : at + 1], own_quality, rtol=1e-4, atol=1e-4)
