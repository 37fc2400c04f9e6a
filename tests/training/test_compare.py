"""Tests the comparison of runs: gains are paired, runs of a group are averaged, and the picture is written."""

import json

import pytest
from PIL import Image

from evals.metrics import GridFacts, Overlap, Row
from t2s_agent.errors import T2SError
from training.compare import Group, difference, gain, group_of, main, table
from training.validation import rows_file, write_rows

IMAGES = 12


def row(image, shared):
    """An answer that has `shared` of a truth of 100 pixels and nothing else."""
    answer = Overlap(shared, shared, 100)
    return Row(
        id=f"{image:02d}",
        image_id=str(image),
        item=str(image),
        question_index=0,
        cluster=str(image),
        question="ships",
        status="found",
        instances=1,
        without_prompt=0,
        true_instances=1,
        known=True,
        tokens=10,
        seconds=0.0,
        segment_seconds=0.0,
        grids={"original": GridFacts(1000, answer, answer, answer)},
    )


def run_in(folder, shares, images=IMAGES, reward=None):
    """A run's folder whose answers have IoU `shares[step]`, a little different for each image."""
    for step, share in shares.items():
        write_rows(rows_file(folder, step), [row(image, share + image) for image in range(images)])
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    lines = [{"step": step, "seconds": 1.0, "reward": reward} for step in shares if step] if reward else []
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return folder


RECIPE = """
about: a test
policy: {name: nano}
data: {train: [{dataset: procedural}]}
optimizer: {steps: 1}
"""


def test_a_gain_is_that_of_the_same_images_and_its_interval_is_narrow(tmp_path):
    found = gain(Group("grpo", (run_in(tmp_path / "a", {0: 40, 20: 50}),)), "gIoU")
    assert found.difference == pytest.approx(0.10)
    assert found.low == pytest.approx(0.10)
    assert found.high == pytest.approx(0.10)
    assert found.clusters == IMAGES


def test_a_group_is_the_mean_of_its_runs_at_the_steps_that_all_have(tmp_path):
    group = Group("grpo", (run_in(tmp_path / "a", {0: 40, 20: 50, 40: 90}), run_in(tmp_path / "b", {0: 40, 20: 70})))
    assert group.steps == [0, 20]
    last = group.at(20).intervals()["gIoU"]
    assert last.value == pytest.approx(0.60 + 0.055)
    assert last.spread == pytest.approx(0.1414, abs=1e-3)
    assert last.low < last.value < last.high


def test_groups_are_compared_at_their_last_steps_on_the_same_images_only(tmp_path):
    sft, grpo = (
        Group(name, (run_in(tmp_path / name, {0: 40, 20: last}),)) for name, last in (("sft", 50), ("grpo", 65))
    )
    assert difference(sft, grpo, "gIoU").difference == pytest.approx(0.15)
    fewer = Group("fewer", (run_in(tmp_path / "fewer", {0: 40}, images=IMAGES - 1),))
    with pytest.raises(T2SError, match="different images"):
        difference(sft, fewer, "gIoU")


def test_the_command_prints_the_gains_and_writes_the_picture(tmp_path, capsys):
    one, two = (run_in(tmp_path / name, {0: 40, 20: last}, reward=2.0) for name, last in (("a", 50), ("b", 60)))
    sft = run_in(tmp_path / "c", {0: 30, 20: 40})
    main([f"sft={sft}", f"grpo={one},{two}", "--out", str(tmp_path / "curve.png")])
    printed = capsys.readouterr().out
    assert "grpo (2 runs): gIoU at step 0: 0.455" in printed
    assert "gain +0.150" in printed
    assert "grpo less sft at their last steps: +0.150" in printed
    with Image.open(tmp_path / "curve.png") as opened:
        assert opened.width > opened.height > 300
    assert table([group_of(str(sft))], "cIoU").startswith("c (1 runs): cIoU")


def test_folders_without_validation_are_refused(tmp_path):
    with pytest.raises(T2SError, match="holds no validation"):
        group_of(f"grpo={tmp_path}")
    with pytest.raises(SystemExit, match="holds no validation"):
        main([str(tmp_path), "--out", str(tmp_path / "curve.png")])


@pytest.mark.parametrize(
    ("out", "says"), [("curve.txt", r"End --out in \.png"), ("missing/curve.png", "output_unwritable: curve.png")]
)
def test_a_picture_that_cannot_be_written_is_refused_in_one_line(out, says, tmp_path):
    run = run_in(tmp_path / "a", {0: 40, 20: 50})
    with pytest.raises(SystemExit, match=says):
        main([str(run), "--out", str(tmp_path / out)])
