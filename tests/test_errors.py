"""The error that reaches people and agents."""

from t2s_agent.errors import CODES, T2SError


def test_an_error_prints_code_what_and_fix():
    error = T2SError("bands_unknown", "band 9 of harbour.tif", "Choose from 1, 2, 3.")
    assert str(error) == "bands_unknown: band 9 of harbour.tif. Choose from 1, 2, 3."


def test_codes_are_short_words_without_doubles():
    assert len(set(CODES)) == len(CODES)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in CODES)
