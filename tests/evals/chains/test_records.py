"""Records of a run: cut off at any byte, they are gone on with."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.chains.records import Record, Records, Setup, read_records
from evals.chains.report import as_text, interval, side_by_side, summary

SETUP = Setup("script", "truth", 1024, questions="abc")


def record(question, seed=0, failure="", scene="quay", topic="area"):
    return Record(
        question, scene, "small", topic, seed, 7.5, 7.4, failure, [{"tool": "reason_segment", "bytes": 9}], 20, 5, 1.0
    )


ROWS = [record("a"), record("b", failure="unit"), record("c", seed=1)]


def write(path, rows=ROWS):
    records = Records(SETUP, path)
    for row in rows:
        records.add(row)
    return records


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "records.jsonl")
    assert read_records(tmp_path / "records.jsonl") == (SETUP, ROWS)


@given(share=st.floats(0, 1))
def test_a_file_cut_off_at_any_byte_is_gone_on_with_and_ends_alike(tmp_path_factory, share):
    path = tmp_path_factory.mktemp("run") / "records.jsonl"
    write(path)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1  # a run is named before its first question
    path.write_bytes(whole[: round(first + share * (len(whole) - first))])
    records = Records(SETUP, path)
    for row in ROWS:
        if (row.question, row.seed) not in records.done:
            records.add(row)
    assert path.read_bytes() == whole


def test_records_of_another_run_are_not_mixed_with(tmp_path):
    path = tmp_path / "records.jsonl"
    write(path)
    with pytest.raises(ValueError, match="another run"):
        Records(replace(SETUP, perception="nano"), path)
    path.write_text('{"hello": 1}\n')
    with pytest.raises(ValueError, match="no file of chain records"):
        Records(SETUP, path)


def test_a_summary_counts_by_class_and_by_failure():
    facts = summary(SETUP, ROWS)
    assert (facts["all"]["right"], facts["all"]["questions"], facts["all"]["tokens"]) == (2, 3, 75)
    assert facts["failures"] == {"unit": 1}
    assert facts["all"]["interval"] is None  # one scene says nothing about others
    assert "wrong by class: unit 1" in as_text(SETUP, ROWS, ["4 questions about kampala: absent"])
    assert "skipped: 4 questions" in as_text(SETUP, ROWS, ["4 questions about kampala: absent"])
    assert json.dumps(facts)


def test_an_interval_is_drawn_over_scenes_not_over_questions():
    same = [record(str(i), scene=f"s{i % 2}", failure="" if i % 2 else "unit") for i in range(40)]
    apart = [record(str(i), scene=f"s{i}", failure="" if i % 2 else "unit") for i in range(40)]
    assert interval(same) == (0.0, 1.0)  # two scenes, one all right and one all wrong
    low, high = interval(apart)
    assert 0.3 < low < 0.5 < high < 0.7
    assert interval([record("a", scene="x"), record("b", scene="y")]) == (1.0, 1.0)


def test_two_runs_stand_side_by_side_where_both_answered():
    text = side_by_side(ROWS, [replace(ROWS[0], failure="tool")], ("first", "second"))
    assert "1/1" in text
    assert "0/1" in text
    assert "\nb " not in text
