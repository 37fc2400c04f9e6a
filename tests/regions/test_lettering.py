"""The font of pictures: what it has, and what is written where it has nothing."""

import pytest

from t2s_agent.regions.lettering import UNKNOWN, drawable, font_of, has


@pytest.mark.parametrize(
    "text", ["Öltanks, größer als 5 m²", "réservoirs à l’île", "Łódź, İzmir", "цистерны", "δεξαμενές"]
)
def test_words_in_latin_greek_and_cyrillic_letters_are_drawn_as_they_are(text):
    assert drawable(text) == text


def test_letters_that_the_font_does_not_have_are_said_to_be_missing():
    assert drawable("油罐 3 tanks") == f"{UNKNOWN} 3 tanks"
    assert drawable("저장 탱크") == f"{UNKNOWN} {UNKNOWN}"


def test_letters_from_right_to_left_need_a_library(monkeypatch):
    monkeypatch.setattr("PIL.features.check", lambda _: False)
    has.cache_clear()
    assert drawable("خزان tank") == f"{UNKNOWN} tank"
    has.cache_clear()


def test_umlauts_are_drawn_with_their_dots():
    font = font_of(24)
    assert font.getbbox("Ö", anchor="ls")[1] < font.getbbox("O", anchor="ls")[1]
