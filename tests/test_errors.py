"""The error that reaches people and agents."""

from t2s_agent.errors import CODES, T2SError


def test_an_error_prints_code_what_and_fix():
    error = T2SError("bands_unknown", "band 9 of harbour.tif", "Choose from 1, 2, 3.")
    assert str(error) == "bands_unknown: band 9 of harbour.tif. Choose from 1, 2, 3."


def test_an_error_is_one_line_and_can_always_be_printed():
    error = T2SError("image_not_found", "there is no a\x1b[2Kb\n\u202egnp.\udcff.tif", "Did you mean \x07bell.tif?")
    assert str(error) == "image_not_found: there is no a [2Kb  gnp. .tif. Did you mean  bell.tif?"
    assert error.args == ("image_not_found", error.what, error.fix)


def test_a_very_long_value_is_cut():
    assert len(str(T2SError("argument_invalid", "x" * 10**6, "y" * 10**6))) < 5_000


def test_codes_are_short_words_without_doubles():
    assert len(set(CODES)) == len(CODES)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in CODES)
