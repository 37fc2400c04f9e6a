"""Refuses weights in a precision in which the optimizer's steps would be lost.

AdamW moves a weight by about the learning rate. bfloat16 has 8 significant bits: next to 0.02, a usual size of a weight, the nearest
other numbers are 0.0001 away, and a smaller move is rounded to none. Measured (tests/training/test_precision.py): of 20 steps of AdamW
on such weights 3 % of the way remains at a learning rate of 1e-6, 18 % at 1e-5, 99 % at 1e-4. DeepSpeed keeps a copy in float32, FSDP
(as accelerate sets it up) and peft's adapters are float32 themselves.
"""

from t2s_agent.errors import T2SError
from training.memory import Sharing
from training.recipe import Recipe

SMALLEST_RATE = 1e-4  # of the learning rate, with which bfloat16 weights still move


def require_precision(recipe: Recipe, processes: int = 1, sharing: Sharing | None = None) -> None:
    """Raises `argument_invalid` where all weights are trained in bfloat16 alone, at a rate that it rounds away."""
    sharing = sharing or Sharing.of_environment(processes)
    exact = recipe.policy.dtype == "float32" or recipe.policy.lora is not None or sharing.keeps_float32
    if exact or recipe.optimizer.learning_rate >= SMALLEST_RATE:
        return
    raise T2SError(
        "argument_invalid",
        f"at a learning rate of {recipe.optimizer.learning_rate:g} most steps are rounded away in bfloat16 weights",
        "Launch with training/recipes/accelerate/zero2.yaml, zero3.yaml or fsdp.yaml (one GPU: --num_processes 1), which keep "
        "float32; or train adapters (policy.lora.rank=32), or set policy.dtype=float32 and launch with --mixed_precision bf16",
    )
