"""The exception of this package."""

import re
from pathlib import Path

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


def test_what_a_program_needs_stands_in_the_details_and_other_words_keep_it():
    error = T2SError("bbox_outside", "the box", "The image covers 1, 2, 3, 4", extent=(1, 2, 3, 4), axes_swapped=False)
    later = error.changed(what="the box; latitude and longitude look swapped", axes_swapped=True)
    assert (later.code, later.fix) == (error.code, error.fix)
    assert later.what == "the box; latitude and longitude look swapped"
    assert later.details == {"extent": (1, 2, 3, 4), "axes_swapped": True}
    assert error.details == {"extent": (1, 2, 3, 4), "axes_swapped": False}
    assert T2SError("internal", "a", "b").details == {}


def test_no_module_looks_into_the_text_of_an_error():
    """`in error.what` and the like: what is needed is a field."""
    root = Path(__file__).parent.parent
    looked = re.compile(
        r"\bin (?:error|wrong|caught)\.(?:what|fix)\b|\.(?:what|fix)\.(?:startswith|endswith|find|split)\("
    )
    files = [file for folder in ("t2s_agent", "tools") for file in (root / folder).rglob("*.py")]
    assert len(files) > 100
    found = [
        str(file) for file in files if file.name != "errors.py" and looked.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []
