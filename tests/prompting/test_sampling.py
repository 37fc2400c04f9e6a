import pytest

from t2s_agent.errors import T2SError
from t2s_agent.prompting.sampling import GREEDY, Sampling
from t2s_agent.results.record import Prompted
from t2s_agent.settings import load_settings


def test_the_settings_and_the_record_give_the_same_sampling():
    sampling = Sampling.of(load_settings(samples=5, temperature=0.5, seed=7))
    assert sampling == Sampling(5, 0.5, 7)
    assert Prompted(samples=5, temperature=0.5, seed=7).sampling == sampling


def test_by_itself_one_answer_is_asked_for():
    assert Sampling.of(load_settings()) == GREEDY == Prompted().sampling
    assert GREEDY.samples == 1


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"temperature": 0.0}, {"temperature": float("nan")}])
def test_no_samples_or_no_temperature_is_refused(wrong):
    with pytest.raises(T2SError) as caught:
        Sampling(wrong.get("samples", 1), wrong.get("temperature", 1.0))
    assert caught.value.code == "argument_invalid"
