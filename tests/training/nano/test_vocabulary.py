"""Tests that the packaged vocabulary of nano is that of the question banks and refuses the right questions."""

from t2s_agent.models import nano_folder
from t2s_agent.prompting.vocabulary import FILE
from training.nano.vocabulary import as_json, measure, vocabulary


def test_the_packaged_vocabulary_is_that_of_the_question_banks():
    assert (nano_folder("prompter") / FILE).read_text(encoding="utf-8") == as_json(vocabulary())


def test_held_out_phrasings_are_rarely_refused_and_unknown_things_nearly_always():
    found = measure(vocabulary())
    assert found["refused"] < 0.02
    assert found["refused_of_bank"] < 0.02
    assert found["untaught_refused"] > 0.9
