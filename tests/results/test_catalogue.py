"""Lists of results that need not read each record, and are never out of date."""

import subprocess
import sys
from pathlib import Path

import pytest
from stored.data import a_result, words

from t2s_agent.errors import T2SError
from t2s_agent.results import catalogue
from t2s_agent.results.store import ResultStore

DATA = Path(__file__).parents[1] / "data"
INDEX = ".index.jsonl"


@pytest.fixture
def read(monkeypatch):
    """The ids of the records that are read."""
    ids, real = [], catalogue.read_record
    monkeypatch.setattr(catalogue, "read_record", lambda folder, id_: ids.append(id_) or real(folder, id_))
    return ids


def filled(folder, count=5):
    store = ResultStore(folder)
    for n in range(count):
        store.save(a_result(id=f"r_{n:08x}abcd", query=f"q{n}"), {"note.txt": words("hello")})
    return store


def queries(folder):
    return [summary.query for summary in ResultStore(folder).listed().results]


def test_a_list_of_saved_results_reads_no_record(tmp_path, read):
    filled(tmp_path)
    assert queries(tmp_path) == ["q4", "q3", "q2", "q1", "q0"]
    assert read == []


def test_an_id_that_nobody_knows_reads_no_record(tmp_path, read):
    filled(tmp_path)
    with pytest.raises(T2SError, match="r_00000003abcd"):
        ResultStore(tmp_path).load("r_00000003abcc")
    assert read == []


def test_without_an_index_each_record_is_read_once_and_never_again(tmp_path, read):
    filled(tmp_path)
    (tmp_path / INDEX).unlink()
    assert len(queries(tmp_path)) == len(queries(tmp_path)) == len(read) == 5


def test_a_line_that_is_cut_short_or_of_another_version_costs_one_record_each(tmp_path, read):
    filled(tmp_path)
    first, second, *others = (tmp_path / INDEX).read_text(encoding="utf-8").splitlines()
    lines = [second.replace('"version":2', '"version":1'), *others, first[:40]]
    (tmp_path / INDEX).write_text("\n".join(lines), encoding="utf-8")
    assert queries(tmp_path) == ["q4", "q3", "q2", "q1", "q0"]
    assert sorted(read) == ["r_00000000abcd", "r_00000001abcd"]
    assert len(queries(tmp_path)) == 5
    assert len(read) == 2


def test_a_record_that_changes_or_goes_is_seen(tmp_path):
    store = filled(tmp_path)
    changed = tmp_path / "r_00000001abcd" / "record.json"
    changed.write_text(changed.read_text(encoding="utf-8").replace('"q1"', '"changed"'), encoding="utf-8")
    (tmp_path / "r_00000002abcd" / "record.json").write_text("{}", encoding="utf-8")
    ResultStore(tmp_path).delete("r_00000003abcd")
    for each in (store, ResultStore(tmp_path)):
        listed, damaged = each.listed()
        assert [summary.query for summary in listed] == ["q4", "changed", "q0"]
        assert damaged == ["r_00000002abcd"]


def test_a_damaged_result_is_named_to_its_owner_and_to_nobody_else(tmp_path):
    for id_, owner in (("r_00000001abcd", "alice"), ("r_00000002abcd", "local")):
        record = ResultStore(tmp_path).save(a_result(id=id_, owner=owner), {}) / "record.json"
        record.write_text("{}", encoding="utf-8")
    store = ResultStore(tmp_path)
    assert [store.for_owner(owner).listed().damaged for owner in ("alice", "bob", "local")] == [
        ["r_00000001abcd"],
        [],
        ["r_00000002abcd"],
    ]


def test_what_another_store_saves_is_listed_by_one_that_was_open_before(tmp_path, read):
    first = filled(tmp_path, 2)
    assert len(first.listed().results) == 2
    ResultStore(tmp_path).save(a_result(), {})
    assert len(first.listed().results) == 3
    assert read == []


def test_lines_of_deleted_results_are_taken_out_of_the_index_at_last(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_SPARE_LINES", 3)
    store = filled(tmp_path, 12)
    for n in range(10):
        store.delete(f"r_{n:08x}abcd")
    assert queries(tmp_path) == ["q11", "q10"]
    assert len((tmp_path / INDEX).read_text(encoding="utf-8").splitlines()) <= 2 * 2 + 3  # of 12


SAVER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from stored.data import a_result, words
from t2s_agent.results.store import ResultStore
store = ResultStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(10):
    store.save(a_result(), {"note.txt": words("hello")})
    store.listed()
"""


def test_processes_that_save_at_the_same_time_lose_no_line(tmp_path, read):
    command = [sys.executable, "-c", SAVER, tmp_path, DATA]
    savers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for saver in savers:
        assert saver.stdout.readline() == "ready\n"
    for saver in savers:
        saver.stdin.write("go\n")
        saver.stdin.flush()
    for saver in savers:
        saver.communicate()
        assert saver.returncode == 0
    assert len(queries(tmp_path)) == 20
    assert read == []
