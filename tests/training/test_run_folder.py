"""A run's folder: what is in it, what survives a kill, and which folders are refused."""

import json

import pytest
import torch
from transformers import Trainer, TrainingArguments

from evals.run.shards import Shard
from t2s_agent.errors import T2SError
from training.recipe import load_recipe
from training.run_folder import MetricsCallback, RunFolder, differences


@pytest.fixture
def recipe():
    return load_recipe("nano")


def test_a_new_folder_has_the_recipe_and_the_environment(tmp_path, recipe):
    run = RunFolder.begin(tmp_path / "run", recipe)
    run.start()
    assert RunFolder.open(tmp_path / "run").recipe == recipe
    assert [start["step"] for start in run.starts()] == [0]
    assert run.starts()[0]["packages"]["trl"]
    assert run.checkpoints.is_dir()
    assert sorted(file.name for file in run.folder.iterdir()) == [
        "checkpoints",
        "environment.json",
        "events.jsonl",
        "metrics.jsonl",
        "recipe.yaml",
    ]


def test_metrics_have_a_step_and_seconds_that_go_on_after_a_resume(tmp_path, recipe):
    run = RunFolder.begin(tmp_path / "run", recipe)
    run.start()
    run.log(1, {"reward": 0.5, "loss": float("nan"), "table": [1, 2]})
    [line] = run.metrics()
    assert line == {"step": 1, "seconds": line["seconds"], "reward": 0.5, "loss": None}

    stored = {**line, "seconds": 100.0}
    (run.folder / "metrics.jsonl").write_text(json.dumps(stored) + "\n", encoding="utf-8")
    again = RunFolder.begin(tmp_path / "run", recipe, resume=True)
    again.start(1)
    again.log(2, {"reward": 0.6})
    assert 100.0 <= again.metrics()[1]["seconds"] < 160.0


def test_a_line_that_was_cut_off_by_a_kill_is_dropped(tmp_path, recipe):
    run = RunFolder.begin(tmp_path / "run", recipe)
    run.start()
    run.log(1, {"reward": 0.5})
    with (run.folder / "metrics.jsonl").open("a", encoding="utf-8") as opened:
        opened.write('{"step": 2, "rew')
    assert [line["step"] for line in run.metrics()] == [1]
    again = RunFolder.begin(tmp_path / "run", recipe, resume=True)
    again.start(1)
    again.log(2, {"reward": 0.6})
    assert [line["step"] for line in again.metrics()] == [1, 2]


def test_a_damaged_line_in_the_middle_is_named(tmp_path, recipe):
    run = RunFolder.begin(tmp_path / "run", recipe)
    (run.folder / "metrics.jsonl").write_text('{"step": 1}\nrubbish\n{"step": 3}\n', encoding="utf-8")
    with pytest.raises(T2SError, match=r"line 2 of metrics\.jsonl"):
        run.metrics()


def test_lines_after_the_step_of_a_resume_are_dropped(tmp_path, recipe):
    run = RunFolder.begin(tmp_path / "run", recipe)
    run.start()
    for step in (1, 2, 3, 4):
        run.log(step, {"reward": step / 10})
    run.event(2, "guard", "no spread in 3 of 4 groups")
    run.event(4, "guard", "KL 12")
    again = RunFolder.begin(tmp_path / "run", recipe, resume=True)
    again.start(2)
    assert [line["step"] for line in again.metrics()] == [1, 2]
    assert [event["text"] for event in again.events()] == ["no spread in 3 of 4 groups"]
    assert [start["step"] for start in again.starts()] == [0, 2]


def test_a_folder_with_a_run_is_refused_without_resume(tmp_path, recipe):
    RunFolder.begin(tmp_path / "run", recipe).start()
    with pytest.raises(T2SError, match="--resume"):
        RunFolder.begin(tmp_path / "run", recipe)


def test_another_recipe_is_refused_by_the_keys_that_differ(tmp_path, recipe):
    RunFolder.begin(tmp_path / "run", recipe).start()
    other = load_recipe("nano", ["objective.beta=0.1", "data.train.0.weight=2", "policy.lora.rank=4"])
    with pytest.raises(T2SError) as raised:
        RunFolder.begin(tmp_path / "run", other, resume=True)
    assert raised.value.code == "argument_invalid"
    for key in ("objective.beta", "data.train.0.weight", "policy.lora.rank"):
        assert key in raised.value.what


def test_settings_that_do_not_change_what_is_trained_may_change(tmp_path, recipe):
    RunFolder.begin(tmp_path / "run", recipe).start()
    changes = ["run.save_every=7", "run.report_to=[]", "data.train.0.root=elsewhere", "segmenter.embeddings=kept"]
    changed = load_recipe("nano", changes)
    assert differences(recipe, changed) == []
    RunFolder.begin(tmp_path / "run", changed, resume=True)
    assert RunFolder.open(tmp_path / "run").recipe == changed


def test_a_folder_with_other_files_is_refused(tmp_path, recipe):
    (tmp_path / "thesis.tex").write_text("text", encoding="utf-8")
    with pytest.raises(T2SError, match="no run's folder"):
        RunFolder.begin(tmp_path, recipe, resume=True)
    with pytest.raises(T2SError, match="no run's folder"):
        RunFolder.open(tmp_path)
    with pytest.raises(T2SError, match="no run's folder"):
        RunFolder.begin(tmp_path / "thesis.tex", recipe)


def test_a_run_that_was_refused_before_its_start_is_begun_anew(tmp_path, recipe):
    RunFolder.begin(tmp_path / "run", recipe)  # and then, for example, memory did not suffice
    changed = load_recipe("nano", ["objective.beta=0"])
    RunFolder.begin(tmp_path / "run", changed)
    assert RunFolder.open(tmp_path / "run").recipe == changed


def test_a_recipe_of_a_persons_own_in_the_folder_is_not_overwritten(tmp_path, recipe):
    own = "# my settings\n" + recipe.to_yaml()
    (tmp_path / "recipe.yaml").write_text(own, encoding="utf-8")
    with pytest.raises(T2SError, match="is no run's folder"):
        RunFolder.begin(tmp_path, recipe)
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == own


def test_an_empty_folder_becomes_a_run(tmp_path, recipe):
    (tmp_path / "empty").mkdir()
    RunFolder.begin(tmp_path / "empty", recipe)
    assert RunFolder.open(tmp_path / "empty").recipe == recipe


def test_only_the_main_process_writes(tmp_path, recipe):
    run = RunFolder.begin(tmp_path / "run", recipe, shard=Shard(1, 2))
    run.start()
    run.log(1, {"reward": 1.0})
    run.event(1, "guard", "text")
    assert not (tmp_path / "run").exists()


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x, labels):
        return {"loss": ((self.slope * x - labels) ** 2).mean()}


def trained(run, steps, **resume):
    data = [{"x": torch.tensor(float(i)), "labels": torch.tensor(2.0 * i)} for i in range(4)]
    arguments = TrainingArguments(
        str(run.checkpoints),
        max_steps=steps,
        logging_steps=1,
        save_steps=2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(Line(), arguments, train_dataset=data, callbacks=[MetricsCallback(run)])
    trainer.train(**resume)


def test_the_callback_writes_what_a_trainer_logs_and_a_resume_repeats_no_step(tmp_path, recipe):
    run = RunFolder.begin(tmp_path / "run", recipe)
    trained(run, 3)
    assert [line["step"] for line in run.metrics() if "loss" in line] == [1, 2, 3]
    again = RunFolder.begin(tmp_path / "run", recipe, resume=True)
    trained(again, 5, resume_from_checkpoint=str(run.checkpoints / "checkpoint-2"))
    assert [line["step"] for line in again.metrics() if "loss" in line] == [1, 2, 3, 4, 5]
    assert [start["step"] for start in again.starts()] == [0, 2]
