"""An exported folder is a plain checkpoint: the product loads it under any name and gives the answers of the model in memory."""

import json
import shutil

import pytest
import torch
from safetensors import SafetensorError

from t2s_agent.errors import T2SError
from t2s_agent.models import nano_folder
from t2s_agent.prompting.local import TransformersPrompter
from training import checkpoints
from training.export import ADAPTER, export, main
from training.policy import open_policy
from training.recipe import load_recipe
from training.run_folder import RunFolder

QUESTION = "the tank"
SQUARE = 224  # px, which the patches of Qwen's families fill
TILES = 112  # px, 2 x 2 tiles of the tiny InternVL


def run_of(folder, base, changes=()):
    """A run that has begun, and its policy."""
    settings = [f"policy.name={base}", "policy.freeze_vision=false", f"policy.square={SQUARE}", *changes]
    run = RunFolder.begin(folder / "run", load_recipe("nano", settings))
    run.start()
    return run, open_policy(run.recipe.policy, device="cpu")


def trained(run, policy, step=3):
    """Moves the trained weights and saves a checkpoint as the trainer does."""
    torch.manual_seed(step)
    with torch.no_grad():
        for weights in policy.model.parameters():
            if weights.requires_grad:
                weights += 0.05 * torch.randn_like(weights)
    written = checkpoints.aside(run.checkpoints, step) / f"checkpoint-{step}"
    policy.model.save_pretrained(written)
    policy.processor.save_pretrained(written)
    checkpoints.publish(run.checkpoints, step, {})
    run.log(step, {"loss": 0.1, "reward": 2.0})


def raw(prompter, view):
    return prompter.answer([view], [QUESTION])[0].raw


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "internvl"])
@pytest.mark.parametrize("lora", [False, True])
def test_the_product_answers_from_the_folder_as_from_memory(family, lora, tiny_models, tmp_path, view_of):
    changes = ["policy.lora={rank: 4, alpha: 64}"] if lora else []
    changes += [f"policy.square={TILES}"] if family == "internvl" else []
    run, policy = run_of(tmp_path, tiny_models[family], changes)
    view = view_of(100, 84)
    before = raw(TransformersPrompter(policy.checkpoint, max_new_tokens=12), view)
    trained(run, policy)
    in_memory = raw(TransformersPrompter(policy.checkpoint, max_new_tokens=12), view)
    folder = export(run, tmp_path / "any-name")
    prompter = TransformersPrompter.load(folder, device="cpu", max_new_tokens=12)
    assert raw(prompter, view) == in_memory != before
    assert prompter.frame == str(policy.processor.rule)
    assert not (folder / ADAPTER).exists()


def test_the_square_is_in_the_folder_where_only_the_view_was_one(tiny_models, tmp_path):
    run, policy = run_of(tmp_path, tiny_models["qwen2_5_vl"], ["policy.square=", "data.view=square:224"])
    trained(run, policy)
    prompter = TransformersPrompter.load(export(run, tmp_path / "any-name"), device="cpu")
    assert prompter.frame == "pixels of a 224 x 224 square"


def test_files_beside_the_weights_come_along_and_a_card_is_written(tmp_path):
    run = RunFolder.begin(tmp_path / "run", load_recipe("nano"))
    run.start()
    policy = open_policy(run.recipe.policy, device="cpu")
    trained(run, policy)
    folder = export(run, tmp_path / "out")
    start = nano_folder("prompter")
    assert {file.name for file in start.iterdir()} <= {file.name for file in folder.iterdir()}
    assert (folder / "vocabulary.json").read_bytes() == (start / "vocabulary.json").read_bytes()
    assert (folder / "LICENSE-WEIGHTS").is_file()
    assert "begin_suppress_tokens" in json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    assert (folder / "README.md").read_text(encoding="utf-8").count("| optimizer steps | 3 |") == 1
    assert TransformersPrompter.load(folder, device="cpu").frame == "0 to 1000 along both axes"


def test_licences_and_cards_come_along_from_one_run_to_the_next(tmp_path):
    start = tmp_path / "start"
    shutil.copytree(nano_folder("prompter"), start)
    (start / "LICENSE-WEIGHTS").write_text("terms", encoding="utf-8")
    (start / "README.md").write_text("# how the start was made", encoding="utf-8")
    run, policy = run_of(tmp_path, start, ["policy.square="])
    trained(run, policy)
    folder = export(run, tmp_path / "out")
    assert (folder / "LICENSE-WEIGHTS").read_text(encoding="utf-8") == "terms"
    assert (folder / "README-BASE.md").read_text(encoding="utf-8") == "# how the start was made"
    assert {file.stat().st_mode for file in folder.iterdir()} == {(folder / "README.md").stat().st_mode}


def test_weights_can_be_written_in_bfloat16(tiny_models, tmp_path):
    run, policy = run_of(tmp_path, tiny_models["qwen3_vl"])
    trained(run, policy)
    folder = export(run, tmp_path / "out", dtype="bfloat16")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert settings["dtype"] == "bfloat16"


def test_a_step_is_chosen_by_number(tiny_models, tmp_path):
    run, policy = run_of(tmp_path, tiny_models["qwen3_vl"])
    trained(run, policy, 3)
    trained(run, policy, 6)
    weights = [(export(run, tmp_path / str(step), step=step) / "model.safetensors").read_bytes() for step in (3, 6)]
    newest = (export(run, tmp_path / "newest") / "model.safetensors").read_bytes()
    assert weights[0] != weights[1] == newest
    with pytest.raises(T2SError, match=r"no checkpoint of step 4.*Steps: 3, 6"):
        export(run, tmp_path / "four", step=4)


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(tiny_models, tmp_path):
    run, policy = run_of(tmp_path, tiny_models["qwen3_vl"], ["policy.lora={rank: 4}"])
    with pytest.raises(T2SError, match="no whole checkpoint"):
        export(run, tmp_path / "out")
    trained(run, policy)
    (tmp_path / "there").mkdir()
    with pytest.raises(T2SError, match="there exists"):
        export(run, tmp_path / "there")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_refused_and_leaves_nothing(tiny_models, tmp_path, monkeypatch):
    run, policy = run_of(tmp_path, tiny_models["qwen3_vl"])
    trained(run, policy)

    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device")  # what safetensors raises in place of OSError

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    with pytest.raises(T2SError, match="No space left") as refused:
        export(run, tmp_path / "out")
    assert refused.value.code == "output_unwritable"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_adapters_that_peft_would_pass_over_are_refused(tiny_models, tmp_path):
    from safetensors.torch import load_file, save_file

    run, policy = run_of(tmp_path, tiny_models["qwen3_vl"], ["policy.lora={rank: 4}"])
    trained(run, policy)
    file = run.checkpoints / "checkpoint-3" / ADAPTER
    renamed = {name.replace(".language_model.", ".older_name."): tensor for name, tensor in load_file(file).items()}
    save_file(renamed, file, metadata={"format": "pt"})
    mark = file.with_name(checkpoints.MARK)
    plain = json.loads(mark.read_text(encoding="utf-8"))
    plain["files"][ADAPTER] = file.stat().st_size
    mark.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(T2SError, match="do not fit the base model"):
        export(run, tmp_path / "out")


def test_the_command_line_says_the_folders_name_or_the_way_out(tiny_models, tmp_path, capsys):
    run, policy = run_of(tmp_path, tiny_models["qwen3_vl"])
    trained(run, policy)
    main(["--run", str(run.folder), "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out == "out\n"
    with pytest.raises(SystemExit, match="out exists"):
        main(["--run", str(run.folder), "--out", str(tmp_path / "out")])
