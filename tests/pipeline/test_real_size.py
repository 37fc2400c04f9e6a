"""The production path at its own classes: tiny random Qwen checkpoints and a SAM 2, from folders, through the whole pipeline."""

import pytest
from tiny_models.data import make_qwen2_5_vl, make_qwen3_vl

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Workshop, segment
from t2s_agent.settings import load_settings
from training.nano.segmenter import build


@pytest.mark.parametrize("make", [make_qwen2_5_vl, make_qwen3_vl])
def test_a_random_checkpoint_in_transformers_layout_is_asked_and_its_babble_is_told(tmp_path, scene, make):
    folder = make(tmp_path / "prompter")
    build().save_pretrained(tmp_path / "segmenter")
    settings = load_settings(
        store=tmp_path / "store", prompter=str(folder), segmenter=str(tmp_path / "segmenter"), max_size=140
    )
    shop = Workshop.open(settings)
    try:
        result = segment(shop, scene, "Where are the storage tanks?")
    except T2SError as error:  # random words are hardly ever JSON
        assert error.code == "answer_unparsable"  # noqa: PT017
    else:
        assert result.prompter.digest
