"""Every recipe that comes with the package runs: two steps on a CPU, with a tiny random model of its family and small scenes."""

import pytest

from t2s_agent.errors import T2SError
from training import checkpoints, grpo, sft
from training.recipe import load_recipe, recipe_names
from training.run_folder import RunFolder

FAMILIES = {"Qwen/Qwen2.5-VL": "qwen2_5_vl", "Qwen/Qwen3-VL": "qwen3_vl", "OpenGVLab/InternVL3": "internvl"}
SERVED = {"vllm"}  # need a server
SUPERVISED = {"nano-sft"}
SCENES = "[{dataset: procedural, split: train, options: {count: 4, size: 64}}]"
SMALL = [
    *("optimizer.steps=2", "optimizer.epochs=null", "optimizer.prompts=1", "optimizer.per_device=2"),
    *("rollout.group=2", "rollout.max_new_tokens=4", "policy.dtype=float32"),
    *("segmenter.name=box", "segmenter.dtype=float32", f"data.train={SCENES}", f"data.validation={SCENES}"),
    *("run.report_to=[]", "run.save_every=1", "run.pictures_every=1", "run.validate_every=0"),
]
TILES = ["policy.square=112", "data.view=square:112"]  # 2 x 2 tiles, as 896 px are for the published model


def small(name, tiny_models):
    """The changes that make a recipe fit a CPU; what it is about stays: objective, rollouts, adapters, frame, view, questions."""
    policy = load_recipe(name).policy
    family = next((family for prefix, family in FAMILIES.items() if policy.name.startswith(prefix)), None)
    model = [f"policy.name={tiny_models[family]}"] if family else []
    return [*SMALL, *model, *(TILES if family == "internvl" else [])]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(recipe_names()) - SERVED))
def test_a_recipe_runs_two_steps(name, tiny_models, tmp_path):
    program = sft if name in SUPERVISED else grpo
    program.main(["--recipe", name, "--out", str(tmp_path / "run"), "--set", *small(name, tiny_models)])
    run = RunFolder.open(tmp_path / "run")
    losses = [line["loss"] for line in run.metrics() if "loss" in line]
    assert len(losses) == 2
    assert None not in losses
    assert [checkpoints.step_of(each) for each in checkpoints.whole(run.checkpoints)] == [1, 2]
    if name not in SUPERVISED:
        assert all("reward" in line for line in run.metrics() if "loss" in line)
        assert [file.name for file in sorted(run.pictures.iterdir())] == ["step-000001.png", "step-000002.png"]


def test_rollouts_by_a_server_are_refused_by_name_before_anything_is_loaded(tiny_models, tmp_path):
    with pytest.raises(SystemExit) as refused:
        grpo.main(["--recipe", "vllm", "--out", str(tmp_path / "run"), "--set", *small("vllm", tiny_models)])
    assert "vllm" in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_the_paper_s_settings_are_the_published_ones():
    for name, group, prompts, epochs, keep in (("think2seg-3b", 16, 4, 5, 6), ("think2seg-7b", 12, 8, 8, 10)):
        recipe = load_recipe(name)
        assert (recipe.rollout.group, recipe.optimizer.prompts, recipe.optimizer.per_device) == (group, prompts, group)
        assert (recipe.optimizer.epochs, recipe.run.keep, recipe.run.save_every, recipe.run.seed) == (
            epochs,
            keep,
            100,
            42,
        )
        assert (recipe.optimizer.learning_rate, recipe.optimizer.schedule, recipe.optimizer.warmup_steps) == (
            1e-6,
            "linear",
            0,
        )
        assert (recipe.objective.loss, recipe.objective.beta, recipe.objective.epsilon) == ("grpo", 0.001, 0.2)
        assert (recipe.rollout.top_k, recipe.rollout.temperature, recipe.rollout.max_new_tokens) == (50, 1.0, 1024)
        assert (recipe.policy.square, recipe.data.view, recipe.data.questions) == (840, "square:840", "one")
        assert (recipe.reward.mask, recipe.reward.valid_json, recipe.reward.valid_tags) == (2.0, 1.0, 1.0)
        assert not recipe.policy.freeze_vision
        assert recipe.policy.lora is None


def test_a_recipe_resolves_to_one_that_reads_back(tmp_path):
    for name in recipe_names():
        (tmp_path / "own.yaml").write_text(load_recipe(name).to_yaml(), encoding="utf-8")
        assert load_recipe(tmp_path / "own.yaml") == load_recipe(name)


def test_a_change_of_an_unknown_key_is_refused_by_name():
    with pytest.raises(T2SError, match=r"rollout\.temprature"):
        load_recipe("nano", ["rollout.temprature=1"])
