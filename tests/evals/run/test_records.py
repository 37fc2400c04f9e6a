"""Files of records: what a kill at any byte leaves behind, and what is refused."""

import json

import pytest

from evals.run.records import Records, header_of, merge, rows_of
from t2s_agent.errors import T2SError

ROWS = [{"id": f"r{i}", "text": "ä" * i} for i in range(4)]


def write(path, rows=ROWS, **settings):
    with Records(path, "answers", settings) as records:
        for row in rows:
            if row["id"] not in records.done:
                records.add(row)


def test_rows_come_back_in_their_order(tmp_path):
    write(tmp_path / "a.jsonl", model="m")
    assert list(rows_of(tmp_path / "a.jsonl")) == ROWS
    assert header_of(tmp_path / "a.jsonl")["settings"] == {"model": "m"}


def test_a_file_cut_at_any_byte_is_completed_to_the_same_bytes(tmp_path):
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    write(whole)
    for length in range(len(whole.read_bytes()) + 1):
        cut.write_bytes(whole.read_bytes()[:length])
        write(cut)
        assert cut.read_bytes() == whole.read_bytes()


def test_a_line_that_is_damaged_in_the_middle_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b'{"id": "r1", "te\n', *lines[3:]]))
    with pytest.raises(T2SError, match=r"line 3 of .* is damaged"):
        write(path)


def test_other_settings_are_refused_and_named(tmp_path):
    write(tmp_path / "a.jsonl", model="m", seed=0)
    with pytest.raises(T2SError, match="seed: 0, now 1"):
        write(tmp_path / "a.jsonl", model="m", seed=1)
    write(tmp_path / "a.jsonl", model="m", seed=0)


def test_two_writers_of_one_file_are_refused(tmp_path):
    with Records(tmp_path / "a.jsonl", "answers", {}), pytest.raises(T2SError, match="another process"):
        write(tmp_path / "a.jsonl")


def test_a_file_of_another_kind_is_no_file_of_records(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n', encoding="utf-8")
    with pytest.raises(T2SError, match="no file of records"):
        header_of(tmp_path / "a.jsonl")


def test_shards_are_merged_and_doubled_rows_and_other_settings_refused(tmp_path):
    parts = [tmp_path / f"{i}.jsonl" for i in range(3)]
    write(parts[0], ROWS[::2])
    write(parts[1], ROWS[1::2])
    assert merge(parts[:2], tmp_path / "all.jsonl") == 4
    assert sorted(row["id"] for row in rows_of(tmp_path / "all.jsonl")) == ["r0", "r1", "r2", "r3"]
    with pytest.raises(T2SError, match="r0 is in two shards"):
        merge([parts[0], parts[0]], tmp_path / "x.jsonl")
    write(parts[2], [], model="other")
    with pytest.raises(T2SError, match="different settings"):
        merge([parts[0], parts[2]], tmp_path / "x.jsonl")


def test_a_row_is_on_disk_as_soon_as_it_is_added(tmp_path):
    with Records(tmp_path / "a.jsonl", "answers", {}) as records:
        records.add(ROWS[0])
        assert json.loads((tmp_path / "a.jsonl").read_bytes().splitlines()[1]) == ROWS[0]
