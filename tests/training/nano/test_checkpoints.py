"""Tests that a checkpoint holds all that a run needs, is never torn, and runs no code when it is read."""

import pickle

import numpy as np
import pytest
import torch

from t2s_agent.errors import T2SError
from training.nano.checkpoints import Checkpoint, check_plan, load, random_states, restore_random, save

PLAN = {"steps": 10, "peak": 1e-3, "data": ["a", "b"]}


class Deck:
    """Something that is drawn from and that is no generator."""

    def __init__(self):
        self.cards = [3, 1, 2]

    def state(self):
        return list(self.cards)

    def restore(self, state):
        self.cards = list(state)


def sources():
    return {"numpy": np.random.default_rng(0), "torch's": torch.Generator().manual_seed(0), "deck": Deck()}


def drawn(own):
    return own["numpy"].random(), float(torch.rand(1, generator=own["torch's"])), own["deck"].cards.pop(), torch.rand(1)


def checkpoint(step=4, random=()):
    return Checkpoint(
        step, PLAN, {"weight": torch.full((2,), float(step))}, [{"state": {}, "param_groups": []}], [*random]
    )


def test_what_was_saved_is_loaded(tmp_path):
    save(checkpoint(), tmp_path / "a.pt")
    held = load(tmp_path / "a.pt")
    assert (held.step, held.plan) == (4, PLAN)
    assert held.weights["weight"].tolist() == [4, 4]


def test_every_source_of_chance_goes_on_where_it_was(tmp_path):
    own, again = sources(), sources()
    drawn(own)
    save(checkpoint(random=[random_states(own)]), tmp_path / "a.pt")
    expected = drawn(own)
    restore_random(again, load(tmp_path / "a.pt").random[0])
    assert drawn(again) == expected


def test_a_process_that_dies_while_it_writes_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    file = tmp_path / "a.pt"
    save(checkpoint(4), file)

    def half(held, stream):
        stream.write(b"PK")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(KeyboardInterrupt):
            save(checkpoint(6), file)
    assert load(file).step == 4
    save(checkpoint(8), file)
    assert load(file).step == 8


def test_a_file_with_code_is_refused_and_its_code_does_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (tmp_path / "a.pt").write_bytes(pickle.dumps(Code(), protocol=2))
    with pytest.raises(T2SError, match="no checkpoint"):
        load(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_a_run_that_counted_minutes_is_refused_with_the_way_out(tmp_path):
    torch.save(
        {"model": {}, "optimizers": [], "rng": {"state": 2**100}, "step": 7, "minutes": 2.5}, tmp_path / "state.pt"
    )
    with pytest.raises(T2SError, match="counted minutes") as caught:
        load(tmp_path / "state.pt")
    assert "--start" in caught.value.fix


def test_a_run_does_not_go_on_with_other_settings(tmp_path):
    save(checkpoint(), tmp_path / "a.pt")
    check_plan(PLAN, tmp_path / "a.pt")
    check_plan({}, tmp_path / "none.pt")
    with pytest.raises(T2SError, match=r"has steps 10, not 20, peak 0\.001, not 0\.002"):
        check_plan({**PLAN, "steps": 20, "peak": 2e-3}, tmp_path / "a.pt")
