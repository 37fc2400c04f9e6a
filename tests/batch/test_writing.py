"""Files are there whole or not at all."""

import errno

import pytest

from t2s_agent.batch.writing import replacing, telling
from t2s_agent.errors import T2SError


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a"
    with replacing(path) as file:
        file.write(b"1")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"2" * (1 // 0))
    assert path.read_bytes() == b"1"
    assert [each.name for each in path.parent.iterdir()] == ["a"]


def test_a_full_disk_is_told_with_the_path(tmp_path):
    with pytest.raises(T2SError) as error, telling(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.code == "output_unwritable"
    assert "a cannot be written (No space left on device)" in error.value.what
