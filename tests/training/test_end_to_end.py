"""One script trains nano, exports and calibrates it, asks it through MCP, and scores it."""

import json

import pytest

from t2s_agent.calibration import FILE
from t2s_agent.errors import T2SError
from t2s_agent.models import nano_folder
from t2s_agent.weights import weights_digest
from training.end_to_end import Outcome, Settings, as_text, main, run


def test_a_folder_that_is_there_is_refused(tmp_path):
    with pytest.raises(T2SError, match="exists"):
        run(Settings(tmp_path))


def test_an_answer_of_other_weights_is_named_and_fails(tmp_path, monkeypatch):
    other = Outcome({"status": "found"}, "a" * 64, "b" * 64, {"nano": 0.5, "prompter": None})
    assert as_text(other) == f"answered by OTHER WEIGHTS ({'a' * 12}): found\ngIoU: nano 0.5000, prompter none"
    monkeypatch.setattr("training.end_to_end.run", lambda _: other)
    with pytest.raises(SystemExit) as stopped:
        main(["--out", str(tmp_path / "new")])
    assert stopped.value.code == 1


@pytest.mark.slow
@pytest.mark.timeout(900)  # on a busy machine
def test_the_exported_weights_answer_and_are_scored(tmp_path, capsys):
    out = tmp_path / "all"
    main(["--out", str(out), "--steps", "1", "--scenes", "46", "--held-out", "2", "--size", "64"])
    outcome = json.loads((out / "outcome.json").read_text())
    digests = [weights_digest(folder) for folder in (nano_folder("prompter"), out / "start", out / "prompter")]
    assert len(set(digests)) == 3  # both trainings changed the weights
    assert outcome["answered_by"] == outcome["exported"] == digests[2]
    assert outcome["answer"]["result_id"]
    assert json.loads((out / "prompter" / FILE).read_text())["prompter"] == digests[2]
    assert set(outcome["giou"]) == {"nano", "start", "prompter"}
    assert all(0 <= value <= 1 for value in outcome["giou"].values())
    printed = capsys.readouterr().out
    for module in ("training.sft", "training.grpo", "training.export", "evals.calibrate", "evals.run"):
        assert f"$ python -m {module} " in printed
