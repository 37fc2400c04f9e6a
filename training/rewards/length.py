"""The length reward: an answer near the limit of tokens loses it bit by bit (DAPO's soft overlong punishment, arXiv 2503.14476)."""


def length_reward(tokens: int, *, most: int, buffer: int) -> float:
    """1 up to `most - buffer` tokens, then less in a straight line, and 0 from `most` on, where an answer is cut off."""
    return min(1.0, max(0.0, (most - tokens) / buffer))
