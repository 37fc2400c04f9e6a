"""A checkpoint that the disk has no room for is one clear error."""

from types import SimpleNamespace

import pytest
from safetensors import SafetensorError

from t2s_agent.errors import T2SError
from training.whole_saves import WholeSaves

FULL = {
    "system": OSError(28, "No space left on device"),
    "safetensors": SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    "torch.save": RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"),
}


class Trainer:
    error: Exception
    accelerator = SimpleNamespace(is_main_process=True)
    state = SimpleNamespace(global_step=7)

    def _save_checkpoint(self, model, trial):
        raise self.error


class Saving(WholeSaves, Trainer):
    pass


@pytest.mark.parametrize("error", FULL.values(), ids=FULL.keys())
def test_a_full_disk_is_told_as_such(error):
    saving = Saving()
    saving.error = error
    with pytest.raises(T2SError, match="output_unwritable: the checkpoint of step 7 could not be written") as told:
        saving._save_checkpoint(None, None)
    assert "--resume" in told.value.fix


def test_another_failure_stays_what_it_is():
    saving = Saving()
    saving.error = RuntimeError("a shape does not fit")
    with pytest.raises(RuntimeError, match="a shape does not fit"):
        saving._save_checkpoint(None, None)
