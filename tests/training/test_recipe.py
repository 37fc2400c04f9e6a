"""Tests that a recipe is read from YAML, changed by key=value, and refused by name where it is wrong."""

import pytest

from t2s_agent.errors import T2SError
from training.recipe import load_recipe

SMALLEST = """
about: the smallest recipe
policy: {name: nano}
data: {train: [{dataset: procedural}]}
optimizer: {steps: 2}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "smallest.yaml"
    path.write_text(SMALLEST, encoding="utf-8")
    return path


def refusal(file, *changes):
    with pytest.raises(T2SError) as caught:
        load_recipe(file, changes)
    return caught.value.what


def test_a_recipe_is_read_and_every_change_is_applied(file):
    recipe = load_recipe(file, ["optimizer.steps=20", "data.train.0.weight=0.5", "policy.lora.rank=8"])
    assert recipe.optimizer.steps == 20
    assert recipe.data.train[0].weight == 0.5
    assert recipe.policy.lora is not None
    assert recipe.policy.lora.rank == 8


def test_a_recipe_written_as_yaml_reads_back_equal(file, tmp_path):
    recipe = load_recipe(file, ["reward.mask=1.5"])
    (tmp_path / "again.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_what_is_wrong_is_named(file):
    assert "optimizer.speed" in refusal(file, "optimizer.speed=3")
    assert "optimizer.steps" in refusal(file, "optimizer.steps=0")
    assert "either steps or epochs" in refusal(file, "optimizer.epochs=1")
    assert "is no change" in refusal(file, "optimizer.steps")


def test_an_unknown_recipe_is_refused_by_its_name():
    with pytest.raises(T2SError, match="no recipe nowhere"):
        load_recipe("nowhere")
