"""The command that trains: what it prints, and what it refuses before the first step."""

import pytest
import yaml

from t2s_agent.errors import T2SError
from training import grpo
from training.checkpoints import newest
from training.recipe import load_recipe
from training.run_folder import RunFolder

SMALL = [
    *("rollout.group=2", "optimizer.prompts=1", "optimizer.per_device=2", "rollout.max_new_tokens=4"),
    *("optimizer.steps=1", "segmenter.name=box", "run.report_to=[]", "data.validation=[]", "run.validate_every=0"),
    "data.train=[{dataset: procedural, split: train, options: {count: 2, size: 64}}]",
]


def run(model, out, *more, changes=()):
    arguments = ["--recipe", "nano", "--out", str(out), *more, "--set", f"policy.name={model}", *SMALL, *changes]
    grpo.main(arguments)


def test_a_run_says_what_it_does_and_leaves_a_folder(tiny_models, tmp_path, capsys):
    run(tiny_models["qwen3_vl"], tmp_path / "run")
    printed = capsys.readouterr().out
    assert "1 are asked, 1 a step" in printed
    assert "steps: 1 of 2 sequences (2 completions a question)" in printed
    assert "step 1/1: reward" in printed
    folder = RunFolder.open(tmp_path / "run")
    assert [line["step"] for line in folder.metrics() if "loss" in line] == [1]
    assert newest(folder.checkpoints).name == "checkpoint-1"


def test_a_finished_run_resumes_to_nothing_and_says_so(tiny_models, tmp_path, capsys):
    run(tiny_models["qwen3_vl"], tmp_path / "run")
    capsys.readouterr()
    run(tiny_models["qwen3_vl"], tmp_path / "run", "--resume")
    assert "goes on after step 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (["objective.gamma=1"], "objective.gamma"),
        (["rollout.group=3"], "optimizer.per_device 2"),
        (["data.train=[{dataset: nowhere}]"], "nowhere"),
        (["data.view=square:100"], "the frame would be wrong"),
        (["policy.name=/no/such/folder"], "/no/such/folder"),
    ],
)
def test_wrong_input_is_refused_in_one_line_before_the_first_step(tiny_models, tmp_path, changes, named):
    with pytest.raises(SystemExit) as refused:
        run(tiny_models["qwen3_vl"], tmp_path / "run", changes=changes)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_folder_of_another_recipe_is_refused(tiny_models, tmp_path):
    model = tiny_models["qwen3_vl"]
    run(model, tmp_path / "run")
    with pytest.raises(SystemExit, match="began with another recipe"):
        run(model, tmp_path / "run", "--resume", changes=["objective.beta=0.5"])
    with pytest.raises(SystemExit, match="already holds a run"):
        run(model, tmp_path / "run")


def test_a_recipe_may_be_a_file(tmp_path, tiny_models, monkeypatch):
    file = tmp_path / "own.yaml"
    file.write_text(load_recipe("nano", [f"policy.name={tiny_models['qwen3_vl']}", *SMALL]).to_yaml())
    trained = []
    monkeypatch.setattr(grpo, "train", lambda recipe, out, resume: trained.append((recipe, out, resume)))
    grpo.main(["--recipe", str(file), "--out", str(tmp_path / "run"), "--resume"])
    assert trained == [(load_recipe(file), tmp_path / "run", True)]
    assert yaml.safe_load(file.read_text())["rollout"]["group"] == 2


def test_errors_are_printed_and_not_raised(tmp_path):
    with pytest.raises(SystemExit) as refused:
        grpo.main(["--recipe", "missing", "--out", str(tmp_path)])
    assert str(refused.value).startswith("argument_invalid: there is no recipe missing")
    with pytest.raises(T2SError):
        load_recipe("missing")


def test_an_interruption_is_one_line_that_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(grpo, "train", interrupted)
    with pytest.raises(SystemExit, match="interrupted; the same command with --resume"):
        grpo.main(["--recipe", "nano", "--out", str(tmp_path / "run")])
