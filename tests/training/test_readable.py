"""Tests that a run that may skip broken samples knows them beforehand, and asks nothing else in their place."""

import json

import pytest
from coco_tiles import write_tiles

from evals.datasets import BrokenSample
from t2s_agent.errors import T2SError
from training.data import open_questions
from training.readable import FILE
from training.recipe import Data, Optimizer, Policy, Recipe, Source


def recipe_for(source, on_broken):
    return Recipe(
        about="a test",
        policy=Policy(name="nano"),
        data=Data(train=(source,), on_broken=on_broken, questions="all"),
        optimizer=Optimizer(epochs=1.0),
    )


@pytest.fixture
def broken(tmp_path):
    write_tiles(tmp_path, count=3)
    (tmp_path / "train" / "01.png").write_bytes(b"no picture")
    return Source(dataset="coco", root=tmp_path)


def test_what_cannot_be_read_is_left_out_and_named(broken, tmp_path):
    questions = open_questions(recipe_for(broken, "skip"), tmp_path / "run")
    asked = [questions[number]["id"] for number in range(len(questions))]
    assert asked
    assert not any("01.png" in id_ for id_ in asked)
    assert len(questions.pool.left_out) > 0
    assert all("01.png" in id_ for id_ in questions.pool.left_out)
    named = json.loads((tmp_path / "run" / FILE).read_text(encoding="utf-8"))["unreadable"]
    assert set(named) == set(questions.pool.left_out)
    assert all("01.png" in reason for reason in named.values())


def test_a_second_rank_reads_what_the_first_found(broken, tmp_path):
    first = open_questions(recipe_for(broken, "skip"), tmp_path / "run")
    written = (tmp_path / "run" / FILE).stat().st_mtime_ns
    (tmp_path / "train" / "02.png").write_bytes(b"broken since")
    second = open_questions(recipe_for(broken, "skip"), tmp_path / "run")
    assert second.pool.ids == first.pool.ids
    assert (tmp_path / "run" / FILE).stat().st_mtime_ns == written


def test_without_skip_a_broken_sample_stops_when_it_is_asked_for(broken, tmp_path):
    questions = open_questions(recipe_for(broken, "stop"), tmp_path / "run")
    with pytest.raises(BrokenSample, match=r"01\.png"):
        [questions[number] for number in range(len(questions))]


def test_skip_needs_a_folder_for_what_was_found(broken):
    with pytest.raises(T2SError, match="run folder"):
        open_questions(recipe_for(broken, "skip"))
