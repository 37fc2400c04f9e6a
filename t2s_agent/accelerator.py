"""Where models run and how they are loaded: device, number format, quietly, and what is said when memory runs out."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from t2s_agent.errors import T2SError

Device = str  # "auto", "cpu", "cuda", "cuda:1", "mps"
DType = Literal["auto", "float32", "bfloat16", "float16"]


def device_of(device: Device) -> str:
    """The device to load to; `auto` is the first accelerator. `model_unavailable` where this machine has none of that name."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(kind for kind, has in there.items() if has)
    if not there.get(device.partition(":")[0], False):
        raise T2SError(
            "model_unavailable",
            f"this machine has no device {device!r}",
            f"Choose auto or {' or '.join(kind for kind, has in there.items() if has)}",
        )
    return device


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """transformers draws no bars and gives no warnings meanwhile: whoever loads shows progress and reads the report."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


@contextlib.contextmanager
def memory_for(doing: Literal["load", "answer", "segment"], name: str) -> Iterator[None]:
    """Turns running out of memory, of either kind, into an error that leads out."""
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's CPU allocator has no type of its own
        short = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not short and "out of memory" not in str(error) and "allocate memory" not in str(error):
            raise
        raise T2SError(
            "model_unavailable" if doing == "load" else "model_failed",
            f"there was not enough memory to {doing} {'' if doing == 'load' else 'with '}{name}",
            "Choose dtype bfloat16, a smaller model, fewer samples or a smaller picture, or an endpoint",
        ) from error
