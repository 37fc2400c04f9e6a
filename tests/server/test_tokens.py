"""Named tokens in a file that may change while the server runs."""

import hashlib

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.server.tokens import Tokens

OLD, NEW = "old-secret-of-ann-1", "new-secret-of-ann-2"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "tokens"


def write(file, text):
    """Written as an editor does: a new file takes the old one's place."""
    beside = file.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def test_a_token_opens_for_its_name_and_nothing_else_does(file):
    write(file, f"# people\nann {OLD}\n\nbob {NEW}\n")
    tokens = Tokens(file)
    assert (tokens.owner(OLD), tokens.owner(NEW)) == ("ann", "bob")
    assert tokens.owner("ann") is None
    assert tokens.owner("") is None


def test_a_hash_may_stand_for_a_token_and_does_not_open_itself(file):
    digest = hashlib.sha256(OLD.encode()).hexdigest()
    write(file, f"ann sha256:{digest}\n")
    tokens = Tokens(file)
    assert tokens.owner(OLD) == "ann"
    assert tokens.owner(f"sha256:{digest}") is None
    assert tokens.owner(digest) is None


def test_tokens_are_rotated_without_a_restart(file):
    write(file, f"ann {OLD}\n")
    tokens = Tokens(file)
    write(file, f"ann {OLD}\nann {NEW}\n")
    assert (tokens.owner(OLD), tokens.owner(NEW)) == ("ann", "ann")
    write(file, f"ann {NEW}\n")
    assert (tokens.owner(OLD), tokens.owner(NEW)) == (None, "ann")


def test_a_file_that_has_gone_lets_nobody_in(file):
    write(file, f"ann {OLD}\n")
    tokens = Tokens(file)
    file.unlink()
    assert tokens.owner(OLD) is None
    write(file, f"ann {OLD}\n")
    assert tokens.owner(OLD) == "ann"


def test_a_file_that_makes_no_sense_changes_nothing_and_is_logged_without_its_secrets(file, caplog):
    write(file, f"ann {OLD}\n")
    tokens = Tokens(file)
    write(file, f"ann {OLD} {NEW}\n")
    assert tokens.owner(OLD) == "ann"
    assert "line 1" in caplog.text
    assert NEW not in caplog.text


@pytest.mark.parametrize("text", ["", "ann\n", "ann short\n", "../ann secret-of-someone-1\n", f"local {OLD}\n"])
def test_a_first_file_that_makes_no_sense_is_refused(file, text):
    write(file, text)
    with pytest.raises(T2SError, match="argument_invalid"):
        Tokens(file)


def test_a_first_file_that_is_missing_is_refused(file):
    with pytest.raises(T2SError, match="cannot be read"):
        Tokens(file)
