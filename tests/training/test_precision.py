"""Weights in bfloat16 and small learning rates: what is lost, and who is refused."""

import pytest
import torch

from t2s_agent.errors import T2SError
from training.memory import Sharing
from training.precision import require_precision
from training.recipe import load_recipe


@pytest.mark.parametrize(("rate", "kept"), [(1e-6, 0.03), (1e-5, 0.18), (1e-4, 0.99)])
def test_bfloat16_weights_lose_most_of_small_steps(rate, kept):
    draw = torch.Generator().manual_seed(0)
    start = (0.02 * torch.randn(100_000, generator=draw)).bfloat16()
    weights = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([weights], lr=rate, weight_decay=0.0)
    gradient = torch.randn(
        100_000, generator=draw
    ).bfloat16()  # always the same: the way of 20 whole steps is 20 x rate
    for _ in range(20):
        weights.grad = gradient.clone()
        optimizer.step()
    way = (weights.detach().float() - start.float()).abs().mean().item()
    assert way / (20 * rate) == pytest.approx(kept, abs=0.01)


def test_the_published_run_needs_a_launch_that_keeps_float32():
    made = load_recipe("think2seg-3b")
    with pytest.raises(T2SError, match=r"zero3\.yaml"):
        require_precision(made)
    require_precision(made, sharing=Sharing(2, 2, 2, deepspeed=True))
    require_precision(made, sharing=Sharing(2, 2, 2, fsdp=True))


@pytest.mark.parametrize(
    "changes", [["policy.dtype=float32"], ["policy.lora.rank=8"], ["optimizer.learning_rate=1e-4"]]
)
def test_what_bfloat16_does_not_round_away_is_let_through(changes):
    require_precision(load_recipe("think2seg-3b", changes))
