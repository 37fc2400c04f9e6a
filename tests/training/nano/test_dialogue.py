"""Tests that nano's training answers are what the product parses, and that a dialogue attends to one image and one question."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from t2s_agent.prompting.parsing import parse_answer, well_tagged
from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import MOST_INSTANCES, Targets, Writer, build_sequences, draw_question, fixed_prompt_texts
from training.nano.image_tokens import GRID, cell_of
from training.nano.tokenizer import build_tokenizer

TANK = CATEGORIES.index("storage tank")
TWO = np.array([[100, 200, 300, 400, 150, 250, 200, 300], [600, 610, 650, 660, 610, 620, 640, 650]], float)


CELLS = cell_of(TWO[:, :4])
NOTHING_NEAR = np.zeros((2, 24), bool)
TANKS = Targets(np.array([TANK, TANK]), TWO, CELLS, NOTHING_NEAR)
BOTH, NONE = np.array([0, 1]), np.zeros(0, int)


@pytest.fixture(scope="module")
def writer():
    return Writer(build_tokenizer(fixed_prompt_texts()), STYLES["box_2_points"])


def answer_of(writer, dialogue):
    return writer.tokenizer.decode(dialogue.ids[dialogue.answer_from :]).removesuffix("<|im_end|>")


def test_the_strict_parser_reads_an_answer_as_it_was_written(writer):
    raw = answer_of(writer, writer.write("Where are the storage tanks?", TANK, TANKS, BOTH))
    answer = parse_answer(raw, frame=(1000, 1000), strict=True)
    assert well_tagged(raw)
    assert answer.thinking == "Looking for storage tank."
    assert [i.box for i in answer.instances] == [(100, 200, 300, 400), (600, 610, 650, 660)]
    assert answer.instances[1].positive == ((610, 620), (640, 650))
    assert {i.label for i in answer.instances} == {"storage tank"}


def test_the_thought_names_the_extreme_that_is_asked_for(writer):
    raw = answer_of(writer, writer.write("the largest storage tank", TANK, TANKS, BOTH[:1], "largest"))
    answer = parse_answer(raw, frame=(1000, 1000), strict=True)
    assert answer.thinking == "Looking for the largest storage tank."
    assert len(answer.instances) == 1


def test_the_thought_names_the_landmark_that_is_asked_for(writer):
    raw = answer_of(writer, writer.write("the tanks by the road", TANK, TANKS, BOTH[:1], "near road"))
    answer = parse_answer(raw, frame=(1000, 1000), strict=True)
    assert answer.thinking == "Looking for storage tank near road."
    assert len(answer.instances) == 1


def test_without_objects_the_answer_is_an_empty_list(writer):
    answer = parse_answer(answer_of(writer, writer.write("ships", 0, TANKS, NONE)), frame=(1000, 1000), strict=True)
    assert answer.status == "empty"


def test_an_object_belongs_to_the_cell_that_encodes_it_wherever_its_centre_is(writer):
    beside = CELLS + 1
    raw = answer_of(writer, writer.write("tanks", TANK, Targets(TANKS.category, TWO, beside, NOTHING_NEAR), BOTH))
    x, y = ((2 * n + 1) * 1000 // (2 * GRID) for n in (beside[0] % GRID, beside[0] // GRID))
    assert f'{{"at": [{x}, {y}], "label": "storage tank", "bbox_2d": [100,' in raw


def test_an_answer_that_is_cut_off_has_no_end_token(writer):
    many = np.array([[x, 10, x + 10, 20, x, 10, x, 10] for x in range(0, 850, 50)], float)
    assert len(many) > MOST_INSTANCES
    targets = Targets(np.full(len(many), TANK), many, cell_of(many[:, :4]), np.zeros((len(many), 24), bool))
    assert writer.end_id not in writer.write("tanks", TANK, targets, np.arange(len(many))).ids.tolist()


def test_absent_categories_are_asked_for_with_the_given_share():
    rng = np.random.default_rng(0)
    asked = [draw_question(TANKS, rng, absent_share=0.25) for _ in range(400)]
    absent = [category for category, which in asked if len(which) == 0]
    assert 60 < len(absent) < 140
    assert TANK not in absent
    assert {tuple(which) for category, which in asked if category == TANK} == {(0, 1)}


def test_a_dialogue_attends_to_the_image_and_its_own_earlier_tokens_only(writer):
    dialogues = [writer.write("ships", 0, TANKS, NONE), writer.write("tanks", TANK, TANKS, BOTH)]
    cells = torch.arange(GRID * GRID)[None, :30]
    sequences = build_sequences(writer, cells, [dialogues])
    prefix = len(writer.head) - 1 + 30
    first = slice(prefix, prefix + len(dialogues[0].ids))
    second = slice(first.stop, first.stop + len(dialogues[1].ids))
    mask = sequences.mask[0, 0]
    assert mask[second, :prefix].all()
    assert not mask[second, first].any()
    assert not mask.triu(1).any()
    assert sequences.places[0, 0, first.start] == sequences.places[0, 0, second.start]


def test_a_gap_moves_the_positions_of_an_answer_and_keeps_its_tokens(writer):
    plain = writer.write("tanks", TANK, TANKS, BOTH)
    with_gap = writer.with_gap(plain, np.random.default_rng(0))
    cells = torch.arange(GRID * GRID)[None]
    near, far = (build_sequences(writer, cells, [[each]]) for each in (plain, with_gap))
    moved = far.places[0, 0] - near.places[0, 0]
    assert torch.equal(near.ids, far.ids)
    assert set(moved.tolist()) == {0, with_gap.gap}
    first = int((moved > 0).nonzero()[0, 0])
    assert writer.tokenizer.decode([int(near.ids[0, first - 1])]) == "]]}"
