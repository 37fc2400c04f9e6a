"""The measurement of the reward engine, small."""

from t2s_agent.models import nano_folder
from training.rewards.measure import completions, measure, question


def test_all_ways_give_the_same_rewards_and_bfloat16_nearly(tmp_path):
    rows = measure(nano_folder("segmenter"), question(448), completions(2, 2, 448), "cpu", tmp_path)
    assert rows[0].way == "as the reference code"
    assert all(row.difference < 1e-3 for row in rows[:-1])
    assert rows[-1].difference < 0.05


def test_all_instances_of_all_completions_differ():
    boxes = set(completions(16, 4, 1024))
    assert len(boxes) == 16
