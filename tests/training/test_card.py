"""The model card: only what the run's folder holds."""

import re

import pytest

from evals.datasets import DATASETS
from training.card import card, main
from training.recipe import load_recipe
from training.run_folder import RunFolder


def run_of(folder, recipe="nano", *, name="run", changes=()):
    run = RunFolder.begin(folder / name, load_recipe(recipe, changes))
    run.start()
    return run


@pytest.fixture
def run(tmp_path):
    run = run_of(tmp_path)
    run.log(0, {"validation/gIoU": 0.41, "validation/cIoU": 0.36})
    for step in range(1, 31):
        run.log(step, {"loss": 0.1, "reward": 2 + step / 100, "kl": step / 1000})
    run.log(30, {"validation/gIoU": 0.47, "validation/cIoU": 0.4})
    run.event(12, "guard", "most groups have one reward")
    return run


def test_a_card_names_base_data_settings_and_place(run):
    text = card(run)
    assert text.startswith("---\nlibrary_name: transformers\n")
    procedural = DATASETS["procedural"].card
    for part in (
        procedural.title,
        procedural.licence,
        procedural.citation,
        "| seed | 42 |",
        "| optimizer steps | 30 |",
    ):
        assert part in text
    assert "GRPO on masks: loss grpo, beta 0.001, 8 completions a question" in text
    assert "| reward | mask 2, valid_json 1, valid_tags 1; of the mask on the level semantic |" in text
    assert f"trl {run.starts()[0]['packages']['trl']}" in text
    assert "- step 12, guard: most groups have one reward" in text


def test_the_curve_is_a_small_table_of_means(run):
    rows = re.findall(r"^\| (\d+) to (\d+) \| ([\d.]+) \| ([\d.]+) \|", card(run), re.MULTILINE)
    assert len(rows) == 12
    assert (rows[0][0], rows[-1][1]) == ("1", "30")
    assert rows[0] == ("1", "2", "2.015", "0.0015")


def test_the_cold_start_and_trivial_answers_stand_beside_the_validation(run, tmp_path):
    baseline = run_of(tmp_path, "nano-sft", name="sft")
    baseline.log(10, {"loss": 1.0})
    intervals = {"validation/gIoU low": 0.4, "validation/gIoU high": 0.48, "validation/gIoU of whole image": 0.14}
    baseline.log(5, {"validation/gIoU": 0.1})
    baseline.log(10, {"validation/gIoU": 0.44, "validation/cIoU": 0.38, **intervals})
    assert table_of(card(run, baseline=baseline)) == [
        "|  | gIoU | cIoU |",
        "| --- | --- | --- |",
        "| cold start, step 10 | 0.44 (0.4 to 0.48) | 0.38 |",
        "| step 0 | 0.41 | 0.36 |",
        "| step 30 | 0.47 | 0.4 |",
    ]
    assert "supervised, on answers made from the truth" in card(baseline)
    alone = run_of(tmp_path, name="alone")
    alone.log(0, {"validation/gIoU": 0.4, **intervals})
    assert table_of(card(alone)) == [
        "|  | gIoU |",
        "| --- | --- |",
        "| whole image | 0.14 |",
        "| step 0 | 0.4 (0.4 to 0.48) |",
    ]


def table_of(text):
    part = text.partition("## Validation")[2].partition("##")[0]
    return [line for line in part.split("\n") if line.startswith("|")]


def test_a_card_of_an_earlier_step_ends_there(run):
    text = card(run, step=10)
    assert "| optimizer steps | 10 |" in text
    assert "step 30" not in text
    assert "## Events" not in text


def test_a_run_without_numbers_has_no_tables_of_them(tmp_path):
    text = card(run_of(tmp_path))
    assert "## Course" not in text
    assert "## Validation" not in text


def test_folders_of_this_machine_are_not_in_a_card(tmp_path):
    changes = [f"policy.name={tmp_path}/private/base", f"segmenter.name={tmp_path}/private/sam"]
    changes.append(f"data.train.0.root={tmp_path}/private/data")
    text = card(run_of(tmp_path, changes=changes))
    assert "private" not in text
    assert str(tmp_path) not in text
    assert "| base model | base |" in text
    assert "base_model" not in text


def test_a_model_of_the_hub_is_the_base_model_of_the_front_matter(tmp_path):
    text = card(run_of(tmp_path, "lora-24gb"))
    assert "base_model: Qwen/Qwen2.5-VL-3B-Instruct\n" in text
    assert "LoRA, rank 32" in text
    assert "stretched to 840 x 840 px" in text


def test_the_command_prints_the_card(run, capsys):
    main(["--run", str(run.folder)])
    assert capsys.readouterr().out == card(run)
    with pytest.raises(SystemExit, match="no run's folder"):
        main(["--run", str(run.folder.parent)])
