"""Products of a few rows with a weight on the CPU, which take as long as reading the weight.

Where a weight has the same values in half precision, it is kept in that: torch then reads half as much and computes in float32 as
before. This is so for checkpoints in bfloat16, whose numbers have fewer digits than those of half precision.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Product = Callable[["Tensor"], "Tensor"]  # (B, in) -> (B, out), float32
_ROUNDING = 2.0**-24  # of float32, relative


def product_of(*projections: Any) -> Product:
    """The product with the weights of linear layers without bias, below each other."""
    import torch

    weight = torch.cat([projection.weight for projection in projections]).detach()
    if not _is_exact_in_half(weight) or torch.backends.quantized.engine not in ("x86", "fbgemm"):
        return _laid_out(weight)
    operators = torch.ops.quantized
    packed = operators.linear_prepack_fp16(weight.contiguous(), None)
    # what the operator calls; around it, torch looks in Python for arguments of its compiler, which takes as long as a small product
    multiply = getattr(operators.linear_dynamic_fp16, "_op", operators.linear_dynamic_fp16)
    return lambda x: multiply(x, packed)


def _is_exact_in_half(weight: "Tensor") -> bool:
    """Whether half precision changes a weight by no more than float32 rounds its products: tiny numbers may lose digits."""
    error = (weight.half().float() - weight).norm()
    return bool(error <= _ROUNDING * weight.norm())


def _laid_out(weight: "Tensor") -> Product:
    """The product with a weight (out, in) that lies in memory as (in, out): half the time of one that lies as (out, in)."""
    across = weight.t().contiguous()
    down = across.t()
    return lambda x: down.mv(x[0])[None] if len(x) == 1 else x @ across
