"""Tests that texts of WordNet become questions only if the classifier is confident of their category."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from training.nano.semantics import Meanings, fit, wordnet_texts, write_texts

SHIP, TANK = CATEGORIES.index("ship"), CATEGORIES.index("storage tank")
NOUNS = """  1 This is the licence
00000001 06 n 02 ship 0 sailing_vessel 0 001 @ 00000002 n 0000 | a vessel that carries people; "the ship sank"
00000002 05 n 01 whale 0 000 | a very large sea mammal
"""
VERBS = """00000003 38 v 01 moor 0 000 01 + 08 00 | (nautical) secure a boat in a berth
"""


@pytest.fixture
def wordnet(tmp_path):
    (tmp_path / "data.noun").write_text(NOUNS)
    (tmp_path / "data.verb").write_text(VERBS)
    return tmp_path


def test_nouns_and_verbs_of_wordnet_become_questions_by_name_and_definition(wordnet):
    texts = list(wordnet_texts(wordnet, np.random.default_rng(0)))
    assert texts[0] == "a vessel that carries people"
    assert "ship" in texts[1]
    assert "sailing vessel" in texts[2]
    assert "secure a boat in a berth" in texts[3]
    assert "moor" in texts[4]
    assert len(texts) == 5  # of animals none, of licences and examples none


def test_a_classifier_separates_different_vectors():
    labels = torch.arange(200) % 2
    vectors = torch.nn.functional.normalize(torch.randn(200, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    vectors[:, 0] = labels * 2.0 - 1
    weight, offset = fit(vectors, labels)
    assert ((10 * vectors @ weight + offset).argmax(1) == labels).all()


def test_only_confident_texts_are_written_and_drawn_with_their_probabilities(tmp_path):
    shares = torch.full((3, len(CATEGORIES)), 0.01)
    shares[0, SHIP], shares[1, TANK], shares[2, TANK] = 0.8, 0.75, 0.3
    shares[1, SHIP] = 0.25
    write_texts(["frigate", "oil", "thing"], shares, tmp_path)
    meanings, rng = Meanings(tmp_path), np.random.default_rng(0)
    assert meanings.texts == ["frigate", "oil"]
    drawn = [meanings.draw(rng) for _ in range(400)]
    assert 120 < sum(text == "oil" for text, _ in drawn) < 280  # categories alike often
    oil = [category for text, category in drawn if text == "oil"]
    assert 0.5 < np.mean(np.array(oil) == TANK) < 0.9
    assert SHIP in oil
