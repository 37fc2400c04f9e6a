"""Tests that exported weights come back as they were, and which answers an exported model may begin."""

import json

from t2s_agent.models import nano_folder
from training.nano.language import export
from training.nano.tokenizer import thought, token_id
from training.nano.warm_start import tokenizer_of


def test_weights_exported_again_are_the_same_files(tmp_path):
    shipped = nano_folder("prompter")
    export(shipped, shipped, tmp_path)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()
    settings = json.loads((tmp_path / "generation_config.json").read_text(encoding="utf-8"))
    assert token_id(tokenizer_of(shipped), thought("ship")) not in settings["begin_suppress_tokens"]
    assert token_id(tokenizer_of(shipped), "<|im_end|>") in settings["begin_suppress_tokens"]
