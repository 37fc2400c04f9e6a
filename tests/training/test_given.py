"""Completions that are read from a file."""

import json

import pytest

from t2s_agent.errors import T2SError
from training.given import GivenCompletions


def written(file, *lines):
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return GivenCompletions(file)


def test_texts_are_found_by_step_and_question(tmp_path):
    given = written(
        tmp_path / "c.jsonl",
        {"step": 0, "id": "a/1", "texts": ["x", "y"]},
        {"step": 1, "id": "a/1", "texts": ["z", "w"]},
    )
    assert given.texts(0, "a/1", 2) == ["x", "y"]
    assert given.texts(1, "a/1", 2) == ["z", "w"]


@pytest.mark.parametrize(("step", "id_", "group"), [(0, "a/1", 3), (0, "b", 2), (5, "a/1", 2)])
def test_a_group_that_is_not_whole_is_refused(tmp_path, step, id_, group):
    given = written(tmp_path / "c.jsonl", {"step": 0, "id": "a/1", "texts": ["x", "y"]})
    with pytest.raises(T2SError, match=f"for step {step} and question {id_}, not {group}"):
        given.texts(step, id_, group)


@pytest.mark.parametrize("line", ["no JSON", {"step": 0, "texts": []}, ["a"], {"step": "x", "id": "a", "texts": []}])
def test_a_wrong_line_is_named(tmp_path, line):
    with pytest.raises(T2SError, match=r"line 2 of c\.jsonl"):
        written(tmp_path / "c.jsonl", {"step": 0, "id": "a", "texts": []}, line)


def test_a_question_stands_once_a_step(tmp_path):
    line = {"step": 0, "id": "a", "texts": ["x"]}
    with pytest.raises(T2SError, match="repeats"):
        written(tmp_path / "c.jsonl", line, line)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(T2SError, match=r"rollout\.completions"):
        GivenCompletions(tmp_path / "missing.jsonl")
