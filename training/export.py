"""Makes a plain Hugging Face folder of a run: `python -m training.export --run RUN [--step N] --out FOLDER`.

The folder holds the weights with adapters merged, config, tokenizer, chat template, the image processor's settings with the square
that the run used, the card, and what the start folder had beside them (a vocabulary, licences). `t2s-agent --prompter FOLDER` loads it.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from t2s_agent.errors import T2SError
from t2s_agent.models import nano_folder
from t2s_agent.weights import require_weights
from training import checkpoints
from training.card import card, square_of
from training.policy import Opened, open_policy
from training.recipe import Policy
from training.run_folder import RunFolder

ADAPTER = "adapter_model.safetensors"
BASE_CARD = "README-BASE.md"  # the card of the start weights
_LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def export(
    run: RunFolder, out: Path, *, step: int | None = None, dtype: str | None = None, baseline: RunFolder | None = None
) -> Path:
    """Writes the model of a step, by default of the newest checkpoint, into the new folder `out`, which is whole or not there.

    `dtype` float32 or bfloat16, by default that of the training. `argument_invalid` for a step without a checkpoint and for an `out`
    that exists, `model_unavailable` for a checkpoint without weights, `output_unwritable` for a full disk.
    """
    if out.exists():
        raise T2SError("argument_invalid", f"{out.name} exists", "Give a new folder")
    checkpoint = _chosen(run, step)
    opened = _opened(run, checkpoint)
    written = out.with_name(f".{out.name}.writing")
    try:
        if written.exists():
            shutil.rmtree(written)
        written.mkdir(parents=True)
        model = opened.checkpoint.model.to(_DTYPES[dtype or run.recipe.policy.dtype])
        model.save_pretrained(written)
        opened.processor.save_pretrained(written)
        _carry_over(run.recipe.policy, written)
        step = checkpoints.step_of(checkpoint)
        (written / "README.md").write_text(card(run, step=step, baseline=baseline, title=out.name), encoding="utf-8")
        for file in written.iterdir():
            file.chmod((written / "README.md").stat().st_mode)  # safetensors lets nobody but its writer read
        written.rename(out)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(written, ignore_errors=True)
        raise T2SError(
            "output_unwritable",
            f"{out.name} could not be written: {getattr(error, 'strerror', None) or error}",
            "Free space, or choose another --out",
        ) from error
    return out


def _chosen(run: RunFolder, step: int | None) -> Path:
    """The checkpoint of a step, or the newest."""
    there = {checkpoints.step_of(path): path for path in checkpoints.whole(run.checkpoints)}
    if not there:
        raise T2SError(
            "argument_invalid", f"{run.folder.name} has no whole checkpoint", "Train until run.save_every steps"
        )
    step = max(there) if step is None else step
    if step not in there:
        raise T2SError(
            "argument_invalid", f"there is no checkpoint of step {step}", f"Steps: {', '.join(map(str, sorted(there)))}"
        )
    return there[step]


def _opened(run: RunFolder, checkpoint: Path) -> Opened:
    """The trained model on the CPU, adapters merged, with the square of the run."""
    changes: dict[str, Any] = {
        "square": square_of(run.recipe),
        "lora": None,
        "freeze_vision": False,
        "attention": "sdpa",
    }
    adapted = (checkpoint / ADAPTER).is_file()
    if not adapted:
        require_weights(checkpoint)
        changes |= {"name": str(checkpoint), "revision": None}
    opened = open_policy(run.recipe.policy.model_copy(update=changes), device="cpu")
    if adapted:
        _merge(opened.checkpoint.model, checkpoint)
    return opened


def _merge(model: Any, checkpoint: Path) -> None:
    """Adds a checkpoint's adapters to the weights of a model, in place.

    An adapter whose names do not fit is loaded by peft as no adapter at all, with a warning, so every tensor is compared.
    """
    adapted = PeftModel.from_pretrained(model, checkpoint)
    loaded, stored = get_peft_model_state_dict(adapted), load_file(checkpoint / ADAPTER)
    if loaded.keys() != stored.keys() or not all(
        torch.equal(loaded[name], stored[name].to(loaded[name])) for name in stored
    ):
        raise T2SError(
            "model_unavailable",
            f"the adapters of {checkpoint.name} do not fit the base model",
            "Export with the versions of peft and transformers that the run's environment.json names",
        )
    adapted.merge_and_unload()


def _carry_over(policy: Policy, out: Path) -> None:
    """Copies the licences and the card that lie beside the start weights; the file of nano's terms lies in its package."""
    nano = nano_folder("prompter")
    folders = [nano, nano.parent] if policy.name == "nano" else [Path(policy.name).expanduser()]
    for folder in folders:
        for pattern in _LICENCES:
            for file in sorted(folder.glob(pattern)):
                shutil.copyfile(file, out / file.name)
    if (folders[0] / "README.md").is_file():
        shutil.copyfile(folders[0] / "README.md", out / BASE_CARD)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. A T2SError is printed in one line, with exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export", description="Makes a Hugging Face folder of a run, which t2s-agent loads."
    )
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--step", type=int, help="the step of a checkpoint; by default the newest")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--dtype", choices=tuple(_DTYPES), help="of the weights; by default that of the training")
    parser.add_argument("--baseline", type=Path, help="the run of the cold start, for the card")
    options = parser.parse_args(arguments)
    try:
        baseline = RunFolder.open(options.baseline) if options.baseline else None
        run = RunFolder.open(options.run)
        print(export(run, options.out, step=options.step, dtype=options.dtype, baseline=baseline).name)
    except T2SError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
