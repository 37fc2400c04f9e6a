"""A checkpoint is whole or not there."""

import pytest

from t2s_agent.errors import T2SError
from training.checkpoints import (
    MARK,
    aside,
    newest,
    own_of,
    publish,
    remove_old,
    remove_unfinished,
    step_of,
    whole,
)


def write(folder, step, text="weights"):
    written = aside(folder, step) / f"checkpoint-{step}"
    (written / "adapters").mkdir(parents=True)
    (written / "model.safetensors").write_text(text)
    (written / "adapters" / "a.bin").write_text("adapter")
    return written


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_published_checkpoint_is_found_with_what_was_kept(tmp_path):
    write(tmp_path, 20)
    published = publish(tmp_path, 20, {"processes": 2})
    assert newest(tmp_path) == published == tmp_path / "checkpoint-20"
    assert step_of(published) == 20
    assert own_of(published) == {"processes": 2}
    assert names(tmp_path) == ["checkpoint-20"]


def test_the_newest_is_the_one_with_the_most_steps(tmp_path):
    for step in (100, 20, 9):
        write(tmp_path, step)
        publish(tmp_path, step, {})
    assert [path.name for path in whole(tmp_path)] == ["checkpoint-9", "checkpoint-20", "checkpoint-100"]
    assert newest(tmp_path).name == "checkpoint-100"


def test_what_was_being_written_is_no_checkpoint_and_goes_away(tmp_path):
    write(tmp_path, 10)
    publish(tmp_path, 10, {})
    write(tmp_path, 20)
    assert newest(tmp_path).name == "checkpoint-10"
    remove_unfinished(tmp_path)
    assert names(tmp_path) == ["checkpoint-10"]


@pytest.mark.parametrize("damage", ["missing", "shorter", "no mark"])
def test_a_torn_checkpoint_is_passed_over(tmp_path, damage):
    for step in (10, 20):
        write(tmp_path, step)
        publish(tmp_path, step, {})
    weights = tmp_path / "checkpoint-20" / "model.safetensors"
    if damage == "shorter":
        weights.write_text("wei")
    else:
        (weights if damage == "missing" else weights.with_name(MARK)).unlink()
    assert newest(tmp_path).name == "checkpoint-10"


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path):
    for text in ("first", "second"):
        write(tmp_path, 10, text)
        publish(tmp_path, 10, {})
    assert (tmp_path / "checkpoint-10" / "model.safetensors").read_text() == "second"
    assert names(tmp_path) == ["checkpoint-10"]


def test_old_ones_are_removed(tmp_path):
    for step in (10, 20, 30):
        write(tmp_path, step)
        publish(tmp_path, step, {})
    remove_old(tmp_path, keep=2)
    assert names(tmp_path) == ["checkpoint-20", "checkpoint-30"]


def test_a_run_without_checkpoints_has_no_newest(tmp_path):
    assert newest(tmp_path) is None
    assert newest(tmp_path / "missing") is None


def test_a_full_disk_is_named_and_leaves_no_checkpoint(tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    write(tmp_path, 10)
    monkeypatch.setattr("training.checkpoints._sync", full)
    with pytest.raises(T2SError, match="step 10 could not be written: No space left") as refused:
        publish(tmp_path, 10, {})
    assert refused.value.code == "output_unwritable"
    assert newest(tmp_path) is None
