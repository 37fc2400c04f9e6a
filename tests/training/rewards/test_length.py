"""The length reward falls in a straight line before the limit of tokens."""

from training.rewards.length import length_reward


def test_the_reward_falls_from_one_to_zero_over_the_buffer():
    rewards = [length_reward(tokens, most=1024, buffer=100) for tokens in (1, 924, 974, 1024, 2000)]
    assert rewards == [1.0, 1.0, 0.5, 0.0, 0.0]
