"""Guesses come from what followed before in the same place of an answer."""

from t2s_agent.prompting.guessing import Guesses, forms_of

TEXTS = [', {"at": [10, 20], ', ', {"at": [30, 40], ', '"box": [', "10,", "20", "], [", "end", "]}"]
AT, OTHER_AT, BOX, TEN, TWENTY, THEN, END, CLOSE = range(len(TEXTS))


class Tokenizer:
    def __len__(self):
        return len(TEXTS) + 1

    def convert_ids_to_tokens(self, ids):
        return [TEXTS[each] if each < len(TEXTS) else None for each in ids]


def after(*written):
    guesses = Guesses(forms_of(Tokenizer(), len(TEXTS)))
    *before, last = written
    for token in before:
        guesses.add(token)
    return guesses.after(last)


def test_the_form_of_a_token_is_its_text_without_its_numbers():
    known = [', {"at": [#, #], ', ', {"at": [#, #], ', '"box": [', "#,", "#", "], [", "end", "]}"]
    assert forms_of(Tokenizer(), len(TEXTS) - 2) == known[:-2]
    assert forms_of(Tokenizer(), len(TEXTS) + 5) == known + [""] * 5


def test_nothing_is_guessed_in_the_first_object():
    assert after(AT) == after(AT, BOX) == after(AT, BOX, TEN, TWENTY) == []


def test_what_stands_between_numbers_is_guessed_from_the_object_before():
    first = [AT, BOX, TEN, TWENTY, THEN, TEN, TWENTY, CLOSE]
    assert after(*first, OTHER_AT) == [BOX]
    assert after(*first, OTHER_AT, BOX) == after(*first, OTHER_AT, BOX, TEN) == []
    assert after(*first, OTHER_AT, BOX, TWENTY, TEN) == [THEN]
    assert after(*first, OTHER_AT, BOX, TWENTY, TEN, THEN, TEN, TEN) == [CLOSE]


def test_what_came_last_in_a_place_counts_and_a_number_ends_the_guessing():
    assert after(AT, BOX, AT, END, AT) == [END]
    assert after(AT, BOX, AT, TEN, AT) == []


def test_several_tokens_in_a_row_are_guessed_but_not_without_end():
    assert after(AT, BOX, END, TEN, AT) == [BOX, END]
    assert after(BOX, BOX, BOX, BOX) == [BOX] * 4
