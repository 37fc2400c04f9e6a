"""What tests of runs share."""

import pytest
import torch


def _same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b


@pytest.fixture(scope="session")
def same():
    """Tells whether two checkpoint files hold the same, bit for bit."""

    def compare(one, other):
        first, second = (torch.load(file, weights_only=True) for file in (one, other))
        return [name for name in first if not _same(first[name], second[name])] == []

    return compare
