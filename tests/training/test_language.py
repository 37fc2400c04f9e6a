"""What the language side is asked in training, and that a step on it makes the answers likelier."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import Targets, Writer, boilerplate, lay_out
from training.nano.image_tokens import cell_of
from training.nano.language import dialogues, loss_of, understanding
from training.nano.model import build_model, build_tokenizer, silent_of
from training.nano.semantics import Meanings, keep
from training.nano.synthetic_tokens import batch_of

SHIP = CATEGORIES.index("ship")
# one far in the north-west and small, one far in the south-east and large
TWO = np.array([[0, 0, 60, 60, 20, 20, 40, 40], [700, 700, 1000, 1000, 800, 800, 900, 900]], float)


@pytest.fixture(scope="module")
def writer():
    return Writer(build_tokenizer(boilerplate()), STYLES["box_2_points"])


def said(writer, dialogue):
    return writer.tokenizer.decode(dialogue.ids[dialogue.answer_from :])


def test_who_asks_for_one_of_several_is_answered_with_that_one(writer):
    ships = Targets(np.array([SHIP, SHIP]), TWO, cell_of(TWO[:, :4]), np.zeros((2, 24), bool))
    rows = dialogues([ships] * 8, writer, np.random.default_rng(1), choosing_share=1.0)
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


def test_where_none_stands_out_all_are_answered(writer):
    alike = Targets(np.array([SHIP, SHIP]), TWO[[0, 0]], np.array([0, 1]), np.zeros((2, 24), bool))
    rows = [dialogues([alike], writer, np.random.default_rng(n), choosing_share=1.0)[0] for n in range(4)]
    answers = [answer for row in rows for each in row if "ship" in (answer := said(writer, each))]
    assert answers
    assert {answer.count("bbox_2d") for answer in answers} == {2}


def test_who_asks_for_those_near_something_is_answered_with_these_only(writer):
    near = np.zeros((2, 24), bool)
    near[0, CATEGORIES.index("harbor")] = True
    ships = Targets(np.array([SHIP, SHIP]), TWO, cell_of(TWO[:, :4]), near)
    rows = dialogues([ships] * 24, writer, np.random.default_rng(1), choosing_share=0.0, relating_share=1.0)
    answers = [said(writer, each) for row in rows for each in row]
    of_harbor = [answer for answer in answers if "Looking for ship near harbor." in answer]
    assert len(of_harbor) > len(answers) / 4  # what is true of some is asked most
    for answer in answers:
        assert " near " in answer
        assert answer.count("bbox_2d") == (answer in of_harbor)
        assert ('"bbox_2d": [0,' in answer) == (answer in of_harbor)


def test_what_is_meant_is_asked_without_an_answer(writer, tmp_path):
    shares = torch.zeros(1, len(CATEGORIES))
    shares[0, SHIP] = 1.0
    keep(["a frigate"], shares, tmp_path)
    targets, tokens, cells = batch_of(np.random.default_rng(0), 2)
    glimpse, sheet = understanding(
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
    assert torch.isin(sheet.wanted, writer.thought_ids).all()
    assert "a frigate" in writer.tokenizer.decode(sheet.ids[0])
    kinds = torch.stack([(writer.thought_ids == id_).nonzero()[0, 0] for id_ in sheet.wanted])
    assert len(kinds.unique()) > 3


def test_steps_down_the_gradient_make_the_answers_likelier_and_leave_the_circuits_alone(writer):
    torch.manual_seed(0)
    model = build_model(writer.tokenizer)
    language = model.model.language_model
    rng = np.random.default_rng(0)
    targets, tokens, cells = batch_of(rng, 2)
    sheet = lay_out(writer, cells, dialogues(targets, writer, rng, choosing_share=0.3, relating_share=0.2))
    optimizer = torch.optim.SGD(language.parameters(), lr=0.02)
    silent = silent_of(language)
    before = None
    for _ in range(4):
        loss, figures = loss_of(model, writer, tokens, sheet)
        before = before or figures["loss"]
        optimizer.zero_grad()
        loss.backward()
        for weight, mask in silent:
            weight.grad[mask] = 0.0
        optimizer.step()
    assert loss_of(model, writer, tokens, sheet)[1]["loss"] < before
    assert all((weight[mask] == 0).all() for weight, mask in silent)
