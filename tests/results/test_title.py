"""Names of results."""

import pytest

from t2s_agent.results.title import NAME, read_title, write_title


def test_a_name_is_kept_and_taken_away_again(tmp_path):
    assert read_title(tmp_path) == ""
    assert write_title(tmp_path, " Tanks of the north ") == "Tanks of the north" == read_title(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert write_title(tmp_path, "  ") == "" == read_title(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_one_line_of_bounded_length(tmp_path):
    assert write_title(tmp_path, "a\nb\u202ec\x1b[2J") == "a b c [2J"
    assert len(write_title(tmp_path, "x" * 500)) == 120
    (tmp_path / NAME).write_bytes(b"\xff" * 10_000)
    assert len(read_title(tmp_path)) <= 120


def test_naming_does_not_make_a_result_younger(tmp_path):
    import os

    os.utime(tmp_path, (1000, 1000))
    write_title(tmp_path, "old")
    assert tmp_path.stat().st_mtime == 1000


def test_a_result_that_may_not_be_written_is_not_named(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_title(tmp_path / "gone", "name")
