"""Experiments are files: every one that comes with the package loads, and what does not fit is named."""

from pathlib import Path

import pytest

from t2s_agent.errors import T2SError
from training.experiments.plan import experiment_names, load_experiment


@pytest.mark.parametrize("name", experiment_names())
def test_each_arm_of_each_experiment_is_a_recipe_and_the_arms_differ(name):
    experiment = load_experiment(name, Path("data"))
    recipes = [experiment.recipe_of(arm, experiment.seeds[0]) for arm in experiment.arms]
    assert all(recipe.run.validate_every for recipe in recipes)
    assert len({recipe.to_yaml() for recipe in recipes}) == len(recipes)
    assert "DATA" not in recipes[0].to_yaml()


def test_box_rewards_leave_the_masks_out():
    recipe = load_experiment("masks-or-boxes", Path("data")).recipe_of("boxes", 1)
    assert (recipe.reward.mask, recipe.reward.boxes, recipe.run.seed) == (0, 2, 1)


def test_all_arms_begin_with_the_start_that_is_given():
    experiment = load_experiment("masks-or-boxes", Path("data"), start="runs/start")
    assert {experiment.recipe_of(arm, 0).policy.name for arm in experiment.arms} == {"runs/start"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("compare: [[start, other]]", "other"),
        ("compare: [[start, one]]\nmetric: speed", "speed"),
        ("compare: [[start, one]]\nseeds: []", "seeds"),
        ("compare: [[start, one]]\nset: [optimizer.stepz=1]", "stepz"),
        ("compare: [[start, one]]\nsteps: 3", "steps"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, named):
    file = tmp_path / "own.yaml"
    file.write_text(f"claim: a test\nrecipe: nano\narms: {{one: []}}\n{change}\n", encoding="utf-8")
    with pytest.raises(T2SError, match=named):
        load_experiment(str(file), tmp_path)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(T2SError, match="masks-or-boxes"):
        load_experiment("nothing", Path("data"))
