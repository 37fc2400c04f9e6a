"""Threads of the CPU by a model's size."""

import threading
from types import SimpleNamespace

import pytest
import torch

from t2s_agent.models import Models
from t2s_agent.settings import load_settings
from t2s_agent.threads import SMALL, threads, threads_for


@pytest.fixture(autouse=True)
def three_threads(monkeypatch):
    """Three threads in this thread and in new ones, which nobody has asked for."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def model_of(parameters):
    weights = SimpleNamespace(numel=lambda: parameters, device=torch.device("cpu"))
    return SimpleNamespace(parameters=lambda: [weights])


def test_a_small_model_gets_one_thread_and_a_large_one_what_there_is():
    assert threads_for(model_of(SMALL - 1)) == 1
    assert threads_for(model_of(SMALL)) is None


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_users_number_of_threads_stays(monkeypatch, name):
    monkeypatch.setenv(name, "4")
    assert threads_for(model_of(10)) is None


def test_both_of_nanos_models_are_small():
    models = Models(load_settings(device="cpu"))
    assert [vars(model)["threads"] for model in (models.prompter(), models.segmenter())] == [1, 1]


def test_the_number_holds_inside_and_is_put_back():
    with threads(1):
        assert torch.get_num_threads() == 1
        with threads(2):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    with threads(None):
        assert torch.get_num_threads() == 3


def test_it_is_put_back_after_an_error():
    with pytest.raises(ZeroDivisionError), threads(1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3


def in_a_new_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_a_large_model_in_a_thread_that_begins_meanwhile_does_not_inherit_the_small_ones_number():
    def large():
        with threads(None):
            inside = torch.get_num_threads()
        return inside, torch.get_num_threads()

    with threads(1):
        assert in_a_new_thread(large) == (3, 3)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


def test_two_small_models_at_a_time_leave_nothing_behind():
    entered, leave = threading.Event(), threading.Event()
    found = []

    def other():
        with threads(1):
            entered.set()
            leave.wait(10)
        found.append(torch.get_num_threads())

    with threads(1):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()
    assert found == [3]
    assert torch.get_num_threads() == 3
    assert in_a_new_thread(torch.get_num_threads) == 3
