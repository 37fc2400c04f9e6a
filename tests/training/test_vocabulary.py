"""nano's list of words: what the package holds is what the banks give, and it refuses the right questions."""

from t2s_agent.models import nano_folder
from t2s_agent.prompting.vocabulary import FILE
from training.nano.vocabulary import measure, vocabulary, written


def test_the_package_holds_the_list_that_the_question_banks_give():
    assert (nano_folder("prompter") / FILE).read_text(encoding="utf-8") == written(vocabulary())


def test_held_out_phrasings_are_hardly_ever_refused_and_untaught_things_nearly_always():
    found = measure(vocabulary())
    assert found["refused"] < 0.02
    assert found["refused_of_bank"] < 0.02
    assert found["untaught_refused"] > 0.9
