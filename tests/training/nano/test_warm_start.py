"""Tests that a run begins with fresh weights, exported ones, or those of another run."""

import torch

from t2s_agent.models import nano_folder
from training.nano.checkpoints import Checkpoint, save
from training.nano.warm_start import EYE, LANGUAGE, language_of, start, tokenizer_of, visual_of


def test_all_processes_of_a_run_begin_with_the_same_model_and_tokenizer(tmp_path):
    (first, tokenizer, _), (second, again, _) = (start(tmp_path) for _ in range(2))
    assert tokenizer.get_vocab() == again.get_vocab()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_a_run_takes_the_tokenizer_of_the_folder_that_it_begins_with(tmp_path):
    shipped = nano_folder("prompter")
    _, tokenizer, _ = start(tmp_path, shipped)
    assert tokenizer.get_vocab() == tokenizer_of(shipped).get_vocab() == tokenizer_of(tmp_path).get_vocab()


def test_weights_come_from_a_run_or_from_an_exported_folder(tmp_path):
    shipped = nano_folder("prompter")
    encoder, language = visual_of(shipped), language_of(shipped)
    assert "pos_embed.weight" in encoder
    assert "embed_tokens.weight" in language
    save(Checkpoint(1, {}, {"of": torch.zeros(1)}, [], []), tmp_path / EYE)
    save(Checkpoint(1, {}, {"of": torch.ones(1)}, [], []), tmp_path / LANGUAGE)
    assert visual_of(tmp_path)["of"] == 0
    assert language_of(tmp_path)["of"] == 1
