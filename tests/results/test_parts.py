"""Folders that are being written: safe from everybody while their writer lives, swept once it is dead."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stored.data import a_result, words

from t2s_agent.results import parts
from t2s_agent.results.store import ResultStore

DATA = Path(__file__).parents[1] / "data"
WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from stored.data import a_result
from t2s_agent.results.store import ResultStore
def slowly(path):
    path.write_text("half")
    print("writing", flush=True)
    sys.stdin.readline()
    path.write_text("whole")
ResultStore(Path(sys.argv[1])).save(a_result(id="r_00000000abcd"), {"note.txt": slowly})
"""
OWN_NAMESPACE = ("unshare", "-rfp", "--kill-child")  # where process ids are others, as in a container


def writer(folder, *before):
    command = [*before, sys.executable, "-c", WRITER, folder, DATA]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.parametrize("before", [(), OWN_NAMESPACE], ids=["here", "in another namespace of processes"])
def test_a_store_that_opens_spares_what_a_living_process_writes(tmp_path, before):
    if before and (shutil.which(before[0]) is None or subprocess.run([*before, "true"], check=False).returncode):
        pytest.skip("no namespaces of processes here")
    with writer(tmp_path, *before) as process:
        for _ in range(2):
            ResultStore(tmp_path).save(a_result(), {})
        process.communicate("go on\n")
    assert process.returncode == 0
    assert ResultStore(tmp_path).artifact("r_00000000abcd", "note.txt").read_text(encoding="utf-8") == "whole"


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path):
    with writer(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.glob(".part-*"))) == 2  # the folder and its lock
    ResultStore(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_stores_in_one_process_spare_each_others_writing(tmp_path):
    def meanwhile(path):
        path.write_text("x", encoding="utf-8")
        ResultStore(tmp_path).save(a_result(), {"note.txt": words("y")})

    ResultStore(tmp_path).save(a_result(), {"note.txt": meanwhile})
    assert len(ResultStore(tmp_path).listed().results) == 2


def test_a_lock_that_is_swept_before_it_is_held_is_made_again(tmp_path, monkeypatch):
    real, calls = parts.lock, []

    def lock(descriptor):
        if not calls:
            parts.sweep(tmp_path)
        calls.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(parts, "lock", lock)
    with parts.part_of(tmp_path) as part:
        parts.sweep(tmp_path)
        assert part.is_dir()
    assert len(calls) == 2
    assert list(tmp_path.iterdir()) == []


def test_folders_of_earlier_versions_without_a_lock_go_after_an_hour(tmp_path):
    young, old = tmp_path / ".part-1-r_00000000abcd", tmp_path / ".part-2-r_00000000abcd"
    for part in (young, old):
        part.mkdir()
        (part / "mask.tif").write_text("half", encoding="utf-8")
    for path in (old / "mask.tif", old):
        os.utime(path, (0, 0))
    parts.sweep(tmp_path)
    assert (young.exists(), old.exists()) == (True, False)


def test_where_there_are_no_locks_writing_works_and_leftovers_stay_for_a_day(tmp_path, monkeypatch):
    def none(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with parts.part_of(tmp_path) as part:
        parts.sweep(tmp_path)
        assert part.is_dir()
        os.utime(part, (0, 0))
        parts.sweep(tmp_path)
        assert not part.exists()
    ResultStore(tmp_path).save(a_result(), {})
    assert len(ResultStore(tmp_path).listed().results) == 1


def test_what_was_being_removed_is_removed(tmp_path):
    (tmp_path / ".gone-0").mkdir()
    (tmp_path / ".gone-0" / "mask.tif").write_text("x", encoding="utf-8")
    parts.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
