"""Tests how cells and boxes are parsed from the text of an answer."""

import numpy as np
import pytest

from evals.questions import CATEGORIES
from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import Targets, Writer, fixed_prompt_texts
from training.nano.fidelity import parse_cells_and_boxes
from training.nano.image_tokens import cell_of
from training.nano.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def writer():
    return Writer(build_tokenizer(fixed_prompt_texts()), STYLES["box_2_points"])


def test_cells_and_boxes_are_parsed_from_an_answer_with_repeats(writer):
    numbers = np.array([[0, 0, 40, 40, 10, 10, 20, 20], [940, 950, 1000, 1000, 960, 960, 970, 980]], float)
    ship = CATEGORIES.index("ship")
    targets = Targets(np.array([ship, ship]), numbers, cell_of(numbers[:, :4]), np.zeros((2, 24), bool))
    dialogue = writer.write("ships", ship, targets, np.array([0, 1, 0]))
    found, boxes = parse_cells_and_boxes(writer.tokenizer.decode(dialogue.ids[dialogue.answer_from :]))
    assert found == [0, 195, 0]
    assert (boxes == numbers[[0, 1, 0], :4]).all()


def test_an_answer_without_instances_has_no_cells():
    cells, boxes = parse_cells_and_boxes("<think>Looking for ship.</think>\n<answer>```json[]```</answer>")
    assert cells == []
    assert boxes.shape == (0, 4)
