"""Chooses the device of models, loads their weights without output, and reports when memory runs out."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from t2s_agent.errors import T2SError

Device = str  # "auto", "cpu", "cuda", "cuda:1", "mps"
DType = Literal["auto", "float32", "bfloat16", "float16"]


def device_of(device: Device) -> str:
    """The device for a model; `auto` is the first accelerator. Raises `model_unavailable` for a device this machine lacks."""
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(kind for kind, has in available.items() if has)
    if not available.get(device.partition(":")[0], False):
        raise T2SError(
            "model_unavailable",
            f"this machine has no device {device!r}",
            f"Choose auto or {' or '.join(kind for kind, has in available.items() if has)}",
        )
    return device


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """Turns off progress bars and warnings of transformers; the caller shows progress and reads the loading report."""
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


def load_weights(class_name: str, folder: Path, *, device: str, dtype: str, attention: str | None = None) -> Any:
    """A transformers model from a folder in transformers' layout, in eval mode on a device.

    Raises `model_unavailable` for damaged files, too little memory, and weights that are missing or have another shape
    (transformers would replace them by random numbers).
    """
    import torch
    import transformers
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    try:
        with quiet_loading(), memory_for("load", folder.name):
            model, report = getattr(transformers, class_name).from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                attn_implementation=attention,
                use_safetensors=True,  # a pickle could run code
                ignore_mismatched_sizes=True,  # the report names them
                output_loading_info=True,
            )
            model = model.to(device).eval()
    except (OSError, SafetensorError, StrictDataclassError, ValueError, KeyError, AttributeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise T2SError(
            "model_unavailable",
            f"the weights of {folder.name} could not be loaded: {first[:200]}",
            "Save or fetch the model again, as safetensors, or use nano",
        ) from error
    mismatched = {key for key, *_ in report["mismatched_keys"]}
    absent = sorted((set(report["missing_keys"]) | mismatched) - set(model.all_tied_weights_keys))
    if absent:
        raise T2SError(
            "model_unavailable",
            f"{folder.name} lacks {len(absent)} weights of the right shape, such as {absent[0]}",
            "Save or fetch the model again; without them its answers would be random",
        )
    return model


@contextlib.contextmanager
def memory_for(doing: Literal["load", "answer", "segment"], name: str) -> Iterator[None]:
    """Converts out-of-memory errors of the CPU and the accelerator to a T2SError with a fix."""
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's CPU allocator raises a plain RuntimeError
        out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not out_of_memory and "out of memory" not in str(error) and "allocate memory" not in str(error):
            raise
        raise T2SError(
            "model_unavailable" if doing == "load" else "model_failed",
            f"there was not enough memory to {doing} {'' if doing == 'load' else 'with '}{name}",
            "Choose dtype bfloat16, a smaller model, fewer samples or a smaller picture, or an endpoint",
        ) from error
