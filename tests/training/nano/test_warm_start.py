"""Tests that weights unpacked for a run and exported again are the same file."""

from t2s_agent.models import nano_folder
from training.nano.language import export
from training.nano.warm_start import unpack


def test_unpacked_and_exported_weights_are_unchanged(tmp_path):
    unpack(nano_folder("prompter"), tmp_path / "run")
    export(tmp_path / "run", tmp_path / "run", tmp_path / "again")
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (nano_folder("prompter") / name).read_bytes()
