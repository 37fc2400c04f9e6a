"""Tests of the language model's training: its questions and answers, and that training steps reduce the loss."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from t2s_agent.errors import T2SError
from t2s_agent.prompting.style import STYLES
from training.nano.circuits import frozen_weights
from training.nano.dialogue import Targets, Writer, build_sequences, fixed_prompt_texts
from training.nano.export import save
from training.nano.image_tokens import cell_of
from training.nano.language import draw_dialogues, draw_thought_batch, loss_of, prepare, train
from training.nano.model import build_model, build_plain
from training.nano.semantics import Meanings, write_texts
from training.nano.synthetic_tokens import draw_batch
from training.nano.tokenizer import build_tokenizer

SHIP = CATEGORIES.index("ship")
# one far in the north-west and small, one far in the south-east and large
TWO = np.array([[0, 0, 60, 60, 20, 20, 40, 40], [700, 700, 1000, 1000, 800, 800, 900, 900]], float)


@pytest.fixture(scope="module")
def writer():
    return Writer(build_tokenizer(fixed_prompt_texts()), STYLES["box_2_points"])


def said(writer, dialogue):
    return writer.tokenizer.decode(dialogue.ids[dialogue.answer_from :])


def test_a_question_for_one_of_several_is_answered_with_that_one(writer):
    ships = Targets(np.array([SHIP, SHIP]), TWO, cell_of(TWO[:, :4]), np.zeros((2, 24), bool))
    rows = draw_dialogues([ships] * 8, writer, np.random.default_rng(1), choosing_share=1.0)
    answers = [said(writer, each) for row in rows for each in row]
    of_ships = [answer for answer in answers if "ship" in answer]
    assert 0 < len(of_ships) < len(answers)
    for answer in of_ships:
        small = any(word in answer for word in ("northern", "western", "smallest"))
        assert answer.count("bbox_2d") == 1
        assert ('"bbox_2d": [0,' in answer) == small
    assert not any(
        "bbox_2d" in answer for answer in answers if answer not in of_ships
    )  # there is no largest of nothing


def test_without_a_clear_extreme_all_objects_are_the_answer(writer):
    alike = Targets(np.array([SHIP, SHIP]), TWO[[0, 0]], np.array([0, 1]), np.zeros((2, 24), bool))
    rows = [draw_dialogues([alike], writer, np.random.default_rng(n), choosing_share=1.0)[0] for n in range(4)]
    answers = [answer for row in rows for each in row if "ship" in (answer := said(writer, each))]
    assert answers
    assert {answer.count("bbox_2d") for answer in answers} == {2}


def test_a_question_for_objects_near_something_is_answered_with_these_only(writer):
    near = np.zeros((2, 24), bool)
    near[0, CATEGORIES.index("harbor")] = True
    ships = Targets(np.array([SHIP, SHIP]), TWO, cell_of(TWO[:, :4]), near)
    rows = draw_dialogues([ships] * 24, writer, np.random.default_rng(1), choosing_share=0.0, relating_share=1.0)
    answers = [said(writer, each) for row in rows for each in row]
    of_harbor = [answer for answer in answers if "Looking for ship near harbor." in answer]
    assert len(of_harbor) > len(answers) / 4  # what is true of some is asked most
    for answer in answers:
        assert " near " in answer
        assert answer.count("bbox_2d") == (answer in of_harbor)
        assert ('"bbox_2d": [0,' in answer) == (answer in of_harbor)


def test_a_thought_batch_has_no_answers_after_the_thought(writer, tmp_path):
    shares = torch.zeros(1, len(CATEGORIES))
    shares[0, SHIP] = 1.0
    write_texts(["a frigate"], shares, tmp_path)
    targets, tokens, cells = draw_batch(np.random.default_rng(0), 2)
    glimpse, sequences = draw_thought_batch(
        targets,
        tokens,
        cells,
        writer,
        np.random.default_rng(0),
        choosing_share=0.4,
        relating_share=0.1,
        meanings=Meanings(tmp_path),
    )
    assert glimpse.shape[1] == 12
    assert torch.isin(sequences.wanted, writer.thought_ids).all()
    assert "a frigate" in writer.tokenizer.decode(sequences.ids[0])
    kinds = torch.stack([(writer.thought_ids == id_).nonzero()[0, 0] for id_ in sequences.wanted])
    assert len(kinds.unique()) > 3


def test_training_steps_reduce_the_loss_and_keep_the_frozen_weights(writer):
    torch.manual_seed(0)
    model = build_model(writer.tokenizer)
    language = model.model.language_model
    rng = np.random.default_rng(0)
    targets, tokens, cells = draw_batch(rng, 2)
    sequences = build_sequences(
        writer, cells, draw_dialogues(targets, writer, rng, choosing_share=0.3, relating_share=0.2)
    )
    optimizer = torch.optim.SGD(language.parameters(), lr=0.02)
    frozen = frozen_weights(language)
    prepare(language, None)
    before = None
    for _ in range(4):
        loss, figures = loss_of(model, writer, tokens, sequences)
        before = before or figures["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss_of(model, writer, tokens, sequences)[1]["loss"] < before
    assert all((weight[mask] == 0).all() for weight, mask in frozen)


PLAN = {"steps": 3, "size": 1, "peak": 1e-3, "choosing": 0.3, "relating": 0.2, "understand_every": 2, "seed": 0}


@pytest.mark.slow
def test_a_run_in_pieces_is_bit_for_bit_the_run_in_one(writer, tmp_path, same, monkeypatch):
    monkeypatch.setattr("training.nano.language.measure", lambda *_: {})

    def run(name, minutes=None):
        torch.manual_seed(0)
        model = build_model(writer.tokenizer)
        prepare(model.model.language_model, None)
        train(model, writer, draw_batch, tmp_path / name, PLAN, test=draw_batch, minutes=minutes)

    run("whole.pt")
    run("parts.pt", minutes=0)
    run("parts.pt", minutes=0)
    run("parts.pt")
    assert same(tmp_path / "whole.pt", tmp_path / "parts.pt")


def test_a_model_without_circuits_is_not_trained_here(writer, tmp_path):
    save(build_plain(writer.tokenizer), writer.tokenizer, tmp_path)
    with pytest.raises(T2SError, match="without initial circuits") as caught:
        prepare(build_model(writer.tokenizer).model.language_model, tmp_path)
    assert "training.sft" in caught.value.fix
