"""Tests of a model with the usual random weights: the product loads it like any other checkpoint."""

import sys

import numpy as np
import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from t2s_agent.models import Models, nano_folder
from t2s_agent.settings import load_settings
from training.nano.evaluate import view_of
from training.nano.image_tokens import SIDE
from training.nano.model import main


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["model", "--plain", "--out", str(folder), "--seed", "3"])
        main()
    return folder


def weights(folder):
    return Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).state_dict()


def test_a_plain_model_has_the_shape_of_nano_and_no_weights_that_were_set_by_hand(plain):
    drawn, shipped = weights(plain), weights(nano_folder("prompter"))
    assert {name: value.shape for name, value in drawn.items()} == {n: v.shape for n, v in shipped.items()}
    for name in ("self_attn.o_proj", "mlp.down_proj", "self_attn.q_proj"):
        weight = drawn[f"model.language_model.layers.0.{name}.weight"]
        assert (weight == 0).float().mean() < 0.01
        assert weight.std() == pytest.approx(0.06, rel=0.05)


def test_the_product_loads_a_plain_model_and_its_answer_may_begin_with_any_token(plain):
    prompter = Models(load_settings(prompter=str(plain), device="cpu", max_new_tokens=16)).prompter()
    view = view_of(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert prompter.answer([view], ["the ships"])[0].status == "unparsable"
    assert "begin_suppress" not in (plain / "generation_config.json").read_text(encoding="utf-8")
