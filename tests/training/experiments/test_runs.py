"""Each run is the command that a user would type; what is finished is not run again."""

from tests.training.experiments.test_entry import EXPERIMENT
from tests.training.test_compare import row
from training.experiments.runs import command_of, finished, folder_of, run
from training.run_folder import ENVIRONMENT
from training.validation import rows_file, write_rows


def test_a_run_that_has_begun_goes_on(tmp_path):
    assert command_of(EXPERIMENT, tmp_path, "little", 1)[1:] == [
        *("-m", "training.grpo", "--recipe", "nano", "--out", str(tmp_path / "little-1")),
        *("--set", "optimizer.steps=20", "reward.mask=1", "run.seed=1"),
    ]
    (tmp_path / "little-1").mkdir()
    (tmp_path / "little-1" / ENVIRONMENT).write_text("[]", encoding="utf-8")
    assert command_of(EXPERIMENT, tmp_path, "little", 1)[-1] == "--resume"


def test_a_finished_run_is_not_run_again(tmp_path, capsys):
    assert not finished(EXPERIMENT, tmp_path, "much", 0)
    write_rows(rows_file(folder_of(tmp_path, "much", 0), 20), [row(0, 50)])
    run(EXPERIMENT, tmp_path, "much", 0)
    assert "finished before" in capsys.readouterr().out
