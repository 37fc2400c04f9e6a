"""Keys and values of prompts, computed once and read by all rows that begin with them, with gradients through both.

Transformers' layers give their keys and values to a cache and attend to what it returns. The two caches here do not grow, so they also
work under gradient checkpointing, which runs a layer a second time: the recompute changes nothing and reads the same states.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from t2s_agent.errors import T2SError


class _Written(DynamicLayer):
    """Keeps the keys and values (U, H, P, D) of a layer's first run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # transformers leaves it untyped

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        return key_states, value_states


class _Read(DynamicLayer):
    """Puts the prompt of each row before its own keys and values: `rows` (B) are numbers of prompts."""

    def __init__(self, written: _Written, rows: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # transformers leaves it untyped
        self.keys, self.values, self._rows = written.keys, written.values, rows
        self.is_initialized = True
        self.used = False

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.used = True
        assert self.keys is not None
        assert self.values is not None
        keys, values = self.keys.index_select(0, self._rows), self.values.index_select(0, self._rows)
        return torch.cat([keys, key_states], -2), torch.cat([values, value_states], -2)


class Prefix:
    """Keys and values of U prompts. Filled by running a model over the prompts with `writing` as its cache."""

    def __init__(self, layers: int) -> None:
        self._layers = [_Written() for _ in range(layers)]
        self.writing = Cache(layers=list(self._layers))

    @contextlib.contextmanager
    def reading(self, rows: Sequence[int], device: torch.device) -> Iterator[Cache]:
        """A cache for rows that continue the prompts of these numbers."""
        if not all(layer.is_initialized for layer in self._layers):
            raise RuntimeError(
                "a layer of this version of transformers left the cache out under gradient checkpointing"
            )
        index = torch.tensor(rows, device=device)
        layers = [_Read(layer, index) for layer in self._layers]
        yield Cache(layers=list(layers))
        if not all(layer.used for layer in layers):
            raise RuntimeError(
                "a layer of this version of transformers left the cache out under gradient checkpointing"
            )


@contextlib.contextmanager
def checkpointing_with_caches(backbone: Any) -> Iterator[None]:
    """Lets layers under gradient checkpointing keep their cache, as transformers allows for caches that do not grow.

    Raises `argument_invalid` for reentrant checkpointing, whose layers give out keys and values without gradients.
    """
    layers = list(backbone.language_model.layers)
    for layer in layers:
        how = getattr(layer, "_gradient_checkpointing_func", None)
        if layer.gradient_checkpointing and layer.training and torch.is_grad_enabled() and _reentrant(how):
            raise T2SError(
                "argument_invalid",
                "reentrant gradient checkpointing cannot share prompts",
                "Set gradient_checkpointing_kwargs to {'use_reentrant': False}",
            )
        layer._can_checkpoint_with_cache = True
    try:
        yield
    finally:
        for layer in layers:
            del layer._can_checkpoint_with_cache


def _reentrant(how: Any) -> bool:
    return bool(getattr(how, "keywords", {}).get("use_reentrant", True))
