"""Tests that the tokenizer reads a text as the tokens that training writes."""

import numpy as np
import pytest

from evals.questions import CATEGORIES
from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import Targets, Writer, fixed_prompt_texts
from training.nano.image_tokens import NUMBERS, cell_of
from training.nano.tokenizer import build_tokenizer

TANK = CATEGORIES.index("storage tank")


@pytest.fixture(scope="module")
def writer():
    return Writer(build_tokenizer(fixed_prompt_texts()), STYLES["box_2_points"])


def test_the_tokenizer_splits_the_text_of_a_dialogue_into_the_same_tokens(writer):
    numbers = np.array([[100, 200, 300, 400, 150, 250, 200, 300], [600, 610, 650, 660, 610, 620, 640, 650]], float)
    tanks = Targets(np.array([TANK, TANK]), numbers, cell_of(numbers[:, :4]), np.zeros((2, 24), bool))
    dialogue = writer.write("Where are the storage tanks?", TANK, tanks, np.array([0, 1]))
    text = writer.tokenizer.decode(dialogue.ids)
    assert writer.tokenizer(text, add_special_tokens=False)["input_ids"] == dialogue.ids.tolist()


def test_each_number_has_its_own_token(writer):
    assert len(set(writer.number_ids.flatten().tolist())) == 2 * len(NUMBERS)
