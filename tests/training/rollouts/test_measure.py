"""The measurement runs both ways on the same inputs and says how far they agree."""

import pytest
import torch

from training.rollouts import measure
from training.rollouts.measure import prompt_for, shape_of_3b, table


def test_both_ways_draw_and_score_alike(maker):
    prompt = prompt_for(maker.model, 4, 6, 12)
    done = measure.measure(maker.model, prompt, group=2, tokens=3, repeats=1)
    [plain], [shared] = done["plain"], done["shared"]
    assert plain.completions.shape == (2, 3)
    assert torch.equal(plain.completions, shared.completions)
    assert torch.allclose(plain.log_probs, shared.log_probs, atol=1e-4)
    assert plain.memory > 0
    *rows, ratio, agreement = table(done, 2, 3).splitlines()
    assert [row.split()[0] for row in rows[1:]] == ["plain", "shared"]
    assert ratio.startswith("ratio")
    assert "100.0%" in agreement


def test_the_3bs_shape_has_its_parameters_and_its_square():
    model, prompt = shape_of_3b("meta")
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(3.75e9, rel=0.01)
    assert (prompt.ids == model.config.image_token_id).shape == (1, 200 + 2 + 900)  # 840 x 840 px
    assert model.is_gradient_checkpointing


@pytest.mark.slow
def test_nano_is_the_shipped_one_at_448_px(capsys):
    measure.main(["--group", "2", "--tokens", "2", "--repeats", "1"])
    first, *_, agreement = capsys.readouterr().out.splitlines()
    assert first.startswith("nano on cpu: 2 completions of 2 tokens, prompt of 218;")
    assert agreement.startswith("tokens drawn alike: 100.0%")
