"""Tests that stored tokens are those that the image encoder writes, and that batches are drawn from them."""

import numpy as np
import pytest
import torch

from t2s_agent.models import nano_folder
from training.nano.image_tokens import GRID, WIDTH
from training.nano.imagery import Packed
from training.nano.model import build_model
from training.nano.pack import pack, procedural
from training.nano.precompute import StoredTokens, store_tokens
from training.nano.warm_start import tokenizer_of, visual_of


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    pack(procedural(range(1)), 1, folder / "packed")
    visual = build_model(tokenizer_of(nano_folder("prompter"))).model.visual.eval()
    visual.load_state_dict(visual_of(nano_folder("prompter")))
    store_tokens(visual, Packed.load(folder / "packed"), folder, images=1, turns=2)
    return folder


def test_each_image_is_stored_as_often_as_it_is_turned(stored):
    tokens = np.load(stored / "tokens.npy")
    assert tokens.shape == (2, GRID * GRID, WIDTH)
    assert np.isfinite(tokens).all()
    assert (tokens[0] != tokens[1]).any()


def test_a_batch_holds_a_part_of_the_tokens_and_what_they_say(stored):
    targets, tokens, cells = StoredTokens([stored]).draw_batch(np.random.default_rng(0), 3)
    held = torch.from_numpy(np.load(stored / "tokens.npy").astype(np.float32))
    assert len(targets) == len(tokens) == 3
    for each, own, part in zip(targets, tokens, cells, strict=True):
        assert any(torch.equal(own, held[n][part]) for n in range(2))
        assert set(each.cells) <= set(part.tolist())
    assert any(len(each.category) for each in targets)
