"""A run that goes on from exported weights has the same weights, in the model that its own tokenizer asks for."""

import torch

from t2s_agent.models import nano_folder
from training.nano.beginning import start, unpack


def test_exported_weights_fit_the_model_that_a_run_builds(tmp_path):
    unpack(nano_folder("prompter"), tmp_path)
    model, tokenizer, _ = start(tmp_path)
    language = torch.load(tmp_path / "state.pt", weights_only=False)["language"]
    model.model.language_model.load_state_dict(language)
    model.model.visual.load_state_dict(torch.load(tmp_path / "eye.pt", weights_only=False)["visual"])
    assert len(language["embed_tokens.weight"]) >= len(tokenizer)
