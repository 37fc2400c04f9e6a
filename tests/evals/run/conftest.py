"""What the stages are tested with."""

import pytest
from samples.data import SAMPLES, Counting, make_sample, script


@pytest.fixture
def samples():
    return [make_sample(image, question, box) for question, (image, box, _) in SAMPLES.items()]


@pytest.fixture
def prompter():
    return Counting(script({question: answer for question, (_, _, answer) in SAMPLES.items()}))
