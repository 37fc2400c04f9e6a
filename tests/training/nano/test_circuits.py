"""Tests that the attention heads of a fresh model do their task before any training."""

import numpy as np
import pytest
import torch

from evals.questions.extremes import EXTREMES, extreme
from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import MOST_INSTANCES, Writer, build_sequences, fixed_prompt_texts
from training.nano.image_tokens import GRID
from training.nano.language import draw_relation
from training.nano.model import build_model
from training.nano.synthetic_tokens import draw_targets, draw_tokens, targets_of
from training.nano.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def writer():
    return Writer(build_tokenizer(fixed_prompt_texts()), STYLES["box_2_points"])


@pytest.fixture(scope="module")
def glances(writer):
    """Returns the attention of heads of layers 2 and 3 in a fresh model, at the tokens before each cell, for tokens and a dialogue."""
    torch.manual_seed(0)
    model = build_model(writer.tokenizer)
    language = model.model.language_model
    language.set_attn_implementation("eager")

    def look(tokens, dialogue):
        sequences = build_sequences(writer, torch.arange(GRID * GRID)[None], [[dialogue]])
        embeds = model.get_input_embeddings()(sequences.ids)
        embeds = torch.cat([embeds[:, : sequences.image.start], tokens[None], embeds[:, sequences.image.stop :]], dim=1)
        mask = torch.zeros(sequences.mask.shape).masked_fill(~sequences.mask, -1e9)
        with torch.no_grad():
            seen = language(
                inputs_embeds=embeds, position_ids=sequences.places, attention_mask=mask, output_attentions=True
            )
        chooses = sequences.at[torch.isin(sequences.wanted, writer.cell_ids), 1]
        return [layer[0, :, chooses, sequences.image].argmax(-1).numpy() for layer in seen.attentions[2:]]

    return look


def test_a_fresh_model_attends_to_the_next_cell(writer, glances):
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(8):
        targets = draw_targets(rng)
        category = int(np.bincount(targets.category).argmax())
        asked = np.flatnonzero(targets.category == category)[:MOST_INSTANCES]
        tokens = torch.from_numpy(draw_tokens(targets, rng))
        found = glances(tokens, writer.write("?", category, targets, asked))[0][2:]  # in the last one's row, and below
        hits += (found == targets.cells[asked]).any(0).tolist()
    assert np.mean(hits) > 0.25  # by chance 2 of 196


def test_a_fresh_model_attends_to_the_extreme_object(writer, glances):
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(12):
        tokens = torch.from_numpy(draw_tokens(draw_targets(rng), rng, noise=0.05))
        targets = targets_of(tokens, np.arange(GRID * GRID))
        category = int(np.bincount(targets.category).argmax())
        asked = np.flatnonzero(targets.category == category)
        for kind in EXTREMES:
            one = extreme(kind, targets.numbers[asked])
            if one is not None:
                dialogue = writer.write("?", category, targets, asked[one : one + 1], kind)
                hits.append(glances(tokens, dialogue)[1][2, 0] == targets.cells[asked[one]])
    assert len(hits) > 10
    assert np.mean(hits) > 0.4


def test_a_fresh_model_attends_to_objects_near_the_landmark_and_seldom_to_others(writer, glances):
    rng = np.random.default_rng(0)
    hits, others = [], []
    while len(hits) < 25:
        tokens = torch.from_numpy(draw_tokens(draw_targets(rng), rng, noise=0.3))
        targets = targets_of(tokens, np.arange(GRID * GRID))
        for category in np.unique(targets.category):
            asked = np.flatnonzero(targets.category == category)
            kind, near = draw_relation(targets, int(category), asked, rng)
            if not 0 < len(near) < len(asked) or len(near) > MOST_INSTANCES:
                continue
            found = glances(tokens, writer.write("?", int(category), targets, near, kind))[0][2:]
            hits += (found == targets.cells[near]).any(0).tolist()
            others += np.isin(found, np.setdiff1d(targets.cells[asked], targets.cells[near])).any(0).tolist()
    assert np.mean(hits) > 0.2
    assert np.mean(others) < 0.1
