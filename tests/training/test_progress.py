"""The line that a run prints for each step."""

import time

from transformers import TrainerControl, TrainerState, TrainingArguments

from training.progress import Progress

LOGS = {
    "loss": 0.1,
    "reward": 2.5,
    "kl": 0.01234,
    "entropy": 0.5,
    "completions/mean_length": 130.0,
    "answers/iou": 0.25,
}


def begun(tmp_path, step=0):
    progress = Progress()
    progress.on_train_begin(
        TrainingArguments(str(tmp_path), use_cpu=True), TrainerState(global_step=step), TrainerControl()
    )
    return progress, time.monotonic()


def test_a_line_has_numbers_rate_and_time_left(tmp_path):
    progress, now = begun(tmp_path)
    line = progress.line(10, 100, LOGS, now + 100)
    assert line == "step 10/100: reward 2.5, IoU 0.25, KL 0.0123, entropy 0.5, tokens 130; 10.0 s a step, 15 min left"


def test_after_a_resume_the_rate_counts_from_there(tmp_path):
    progress, now = begun(tmp_path, step=90)
    assert progress.line(95, 100, LOGS, now + 50).endswith("10.0 s a step, 50 s left")


def test_hours_and_seconds_left(tmp_path):
    progress, now = begun(tmp_path)
    assert progress.line(1, 1000, LOGS, now + 10).endswith("2 h 46 min left")
    assert progress.line(1, 2, LOGS, now + 10).endswith("10 s left")


def test_only_steps_are_printed(tmp_path, capsys):
    progress, _ = begun(tmp_path)
    state = TrainerState(global_step=1, max_steps=2)
    progress.on_log(None, state, TrainerControl(), logs={"train_runtime": 3.0})
    assert capsys.readouterr().out == ""
    progress.on_log(None, state, TrainerControl(), logs=LOGS)
    assert capsys.readouterr().out.startswith("step 1/2: reward 2.5")
