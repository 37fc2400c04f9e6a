"""Makes a transformers Trainer write checkpoints that are whole or not there (training.checkpoints)."""

from pathlib import Path
from typing import Any

from training import checkpoints


class WholeSaves:
    """To be named before the Trainer in a class: `folder` gets the checkpoints, of which the newest `keep` stay."""

    folder: Path
    keep: int

    def _get_output_dir(self, trial: Any) -> str:
        del trial
        return str(checkpoints.aside(self.folder, self.state.global_step))  # type: ignore[attr-defined]  # of the Trainer

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Saves everything aside, then publishes it at once."""
        super()._save_checkpoint(model, trial)  # type: ignore[misc]  # of the Trainer
        accelerator, step = self.accelerator, self.state.global_step  # type: ignore[attr-defined]  # of the Trainer
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            checkpoints.publish(self.folder, step, {"processes": accelerator.num_processes})
            checkpoints.remove_old(self.folder, self.keep)
        accelerator.wait_for_everyone()
