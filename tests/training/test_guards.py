"""A run that learns nothing says so; one that runs away stops."""

import math

import pytest
from transformers import TrainerControl, TrainerState

from t2s_agent.errors import T2SError
from training.guards import MEASURES, GuardCallback, Watch, require_pictures
from training.recipe import Guards

SOUND = {
    "loss": 0.1,
    "grad_norm": 0.5,
    "kl": 0.01,
    "entropy": 0.5,
    "groups/distinct": 1.0,
    "frac_reward_zero_std": 0.1,
    "groups/spread": 0.4,
    "completions/clipped_ratio": 0.0,
    "answers/unparsable": 0.05,
}
WRONG = {
    "most_kl": ("kl", 9.0),
    "least_entropy": ("entropy", 0.0),
    "most_entropy": ("entropy", 8.0),
    "least_distinct": ("groups/distinct", 0.1),
    "most_zero_advantage": ("frac_reward_zero_std", 1.0),
    "least_spread": ("groups/spread", 0.0),
    "most_truncated": ("completions/clipped_ratio", 0.9),
    "most_unparsable": ("answers/unparsable", 0.9),
}


def watched(limits, steps):
    """The warnings of a run with these logs, one a step."""
    said = []
    watch = Watch(limits, lambda step, text: said.append((step, text)))
    for step, logs in enumerate(steps, 1):
        watch.judge(step, logs)
    return said


def test_a_sound_run_is_silent():
    assert watched(Guards(), [SOUND] * 50) == []


@pytest.mark.parametrize("measure", MEASURES, ids=lambda each: each.limit)
def test_each_measure_warns_once_after_some_steps(measure):
    name, value = WRONG[measure.limit]
    steps = [SOUND] + [SOUND | {name: value}] * 10
    [(step, text)] = watched(Guards(warn_after=4, stop_after=100), steps)
    assert step == 5
    assert text.startswith(f"{name} {value:g} is {'above' if measure.above else 'below'}")


def test_a_sound_step_between_begins_the_count_anew():
    high = SOUND | {"kl": 9.0}
    assert watched(Guards(warn_after=3), [high, high, SOUND] * 5) == []


@pytest.mark.parametrize("limit", ["most_kl", "least_entropy", "most_entropy"])
def test_a_policy_that_runs_away_stops_the_run(limit):
    name, value = WRONG[limit]
    with pytest.raises(T2SError, match=f"collapsed: {name}") as stopped:
        watched(Guards(warn_after=2, stop_after=6), [SOUND | {name: value}] * 6)
    assert stopped.value.code == "model_failed"
    assert limit in stopped.value.fix


def test_what_only_teaches_little_does_not_stop():
    watched(Guards(stop_after=5), [SOUND | {"answers/unparsable": 1.0, "groups/spread": 0.0}] * 50)


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_at_once(name, value):
    with pytest.raises(T2SError, match=f"{name} is"):
        watched(Guards(), [SOUND | {name: value}])


def test_a_limit_of_null_is_not_watched():
    assert watched(Guards(most_kl=None), [SOUND | {"kl": 99.0}] * 50) == []


def test_warnings_go_to_the_console_and_the_runs_events(tmp_path):
    events = []
    callback = GuardCallback(Guards(warn_after=1), lambda *event: events.append(event))
    state = TrainerState(global_step=7)
    with pytest.warns(UserWarning, match="step 7: kl 9 is above 1"):
        callback.on_log(None, state, TrainerControl(), logs=SOUND | {"kl": 9.0})
    [(step, kind, text)] = events
    assert (step, kind) == (7, "guard")
    assert "raise beta" in text


def test_a_run_that_goes_on_counts_on(tmp_path):
    limits, high = Guards(warn_after=3), SOUND | {"kl": 9.0}
    first = GuardCallback(limits, lambda *_: None)
    for step in (1, 2):
        first.on_log(None, TrainerState(global_step=step), TrainerControl(), logs=high)
    TrainerState(global_step=2, stateful_callbacks=[first]).save_to_json(str(tmp_path / "state.json"))
    second = GuardCallback(limits, lambda *_: None)
    state = TrainerState.load_from_json(str(tmp_path / "state.json"))
    second.on_train_begin(None, state, TrainerControl())
    assert second.watch.counts == first.watch.counts
    with pytest.warns(UserWarning, match="since 3 steps"):
        second.on_log(None, state, TrainerControl(), logs=high)


def test_a_state_without_counts_begins_anew_and_can_be_saved():
    state, callback = TrainerState(), GuardCallback(Guards(), lambda *_: None)
    callback.on_train_begin(None, state, TrainerControl())
    assert callback.watch.counts == {}
    assert state.stateful_callbacks == {"GuardCallback": callback.state()}


def test_a_batch_with_all_its_pictures_passes():
    require_pictures(3, pictures=3, image_tokens=12, features=12)
    require_pictures(3, pictures=4, image_tokens=16, features=16)  # one row has two


@pytest.mark.parametrize(
    ("pictures", "tokens", "features"),
    [(0, 12, 0), (2, 12, 8), (3, 13, 12), (3, 12, 8)],
    ids=["none", "too few", "a stray image token", "other pixels"],
)
def test_a_batch_that_lost_pictures_stops_the_run(pictures, tokens, features):
    with pytest.raises(T2SError, match="3 sequences") as stopped:
        require_pictures(3, pictures, tokens, features)
    assert stopped.value.code == "model_failed"
