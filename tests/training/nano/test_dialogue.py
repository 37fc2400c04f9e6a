"""Tests that nano's training answers are what the product parses, and that a dialogue attends to one image and one question."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from evals.questions.extremes import EXTREMES, extreme
from t2s_agent.prompting.parsing import parse_answer, well_tagged
from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import MOST_INSTANCES, Targets, Writer, build_sequences, draw_question, fixed_prompt_texts
from training.nano.image_tokens import GRID, NUMBERS, cell_of, read_out
from training.nano.language import draw_relation
from training.nano.model import build_model, build_tokenizer
from training.nano.synthetic_tokens import draw_batch, draw_targets, draw_tokens, targets_of

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


def test_the_tokenizer_splits_the_text_of_a_dialogue_into_the_same_tokens(writer):
    dialogue = writer.write("Where are the storage tanks?", TANK, TANKS, BOTH)
    text = writer.tokenizer.decode(dialogue.ids)
    assert writer.tokenizer(text, add_special_tokens=False)["input_ids"] == dialogue.ids.tolist()


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


def test_decoded_tokens_give_the_objects_that_were_encoded():
    rng = np.random.default_rng(0)
    targets = draw_targets(rng)
    at, category, numbers = read_out(torch.from_numpy(draw_tokens(targets, rng, noise=0.02)))
    assert (at.numpy() == targets.cells).all()
    assert (category.numpy() == targets.category).all()
    wide = (targets.numbers[:, 2:4] - targets.numbers[:, :2]).min(1) > 20
    assert np.abs(numbers.numpy() - targets.numbers)[wide].max() <= 10


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


def test_synthetic_batches_include_all_cells_with_objects():
    targets, tokens, cells = draw_batch(np.random.default_rng(3), 4)
    assert tokens.shape[:2] == cells.shape
    for each, shown in zip(targets, cells, strict=True):
        assert set(each.cells) <= set(shown.tolist())


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


def test_a_cell_encodes_what_is_near_its_object():
    rng = np.random.default_rng(0)
    road = CATEGORIES.index("road")
    numbers = np.array([[0, 400, 1000, 460, 100, 430, 900, 430], [500, 500, 540, 540, 510, 510, 530, 530]], float)
    numbers = np.concatenate([numbers, numbers[1:] - 450])
    drawn = Targets(np.array([road, TANK, TANK]), numbers, cell_of(numbers[:, :4]), np.zeros((3, 24), bool))
    said = targets_of(torch.from_numpy(draw_tokens(drawn, rng, noise=0.02)), np.arange(GRID * GRID))
    assert said.near[said.category == TANK, road].tolist() == [False, True]  # in reading order


def test_each_number_has_its_own_token(writer):
    assert len(set(writer.number_ids.flatten().tolist())) == 2 * len(NUMBERS)
