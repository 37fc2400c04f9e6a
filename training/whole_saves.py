"""Makes a transformers Trainer write checkpoints that are whole or not there (training.checkpoints)."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from training import checkpoints
from training.checkpoints import unwritable


class WholeSaves:
    """To be named before the Trainer in a class: `folder` gets the checkpoints, of which the newest `keep` stay."""

    folder: Path
    keep: int

    def _get_output_dir(self, trial: Any) -> str:
        del trial
        return str(checkpoints.aside(self.folder, self.state.global_step))  # type: ignore[attr-defined]  # of the Trainer

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Saves everything aside, then publishes it at once. `output_unwritable` where the disk is full."""
        accelerator, step = self.accelerator, self.state.global_step  # type: ignore[attr-defined]  # of the Trainer
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]  # of the Trainer
        except (OSError, SafetensorError, RuntimeError) as error:
            if not _of_the_disk(error):
                raise
            raise unwritable(step, "the disk is full or cannot be written") from error
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            checkpoints.publish(self.folder, step, {"processes": accelerator.num_processes})
            checkpoints.remove_old(self.folder, self.keep)
        accelerator.wait_for_everyone()


def _of_the_disk(error: Exception) -> bool:
    """Whether a file could not be written. On a full disk safetensors quotes the system, and torch.save (2.13) fails a check."""
    return isinstance(error, OSError) or "No space left" in str(error) or "inline_container" in str(error)
