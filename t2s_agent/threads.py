"""Sets the number of CPU threads that torch uses for a model.

The steps of a tiny model take microseconds, and with several threads each step waits for all of them. If another process uses
a core, the wait is longer than the step: nano answers eight times slower with two threads than with one
(`python -m evals.speed segment`). So a small model gets one thread. A larger model keeps the number that torch or the calling
program has set. If OMP_NUM_THREADS or MKL_NUM_THREADS is set, nothing is changed.

torch has a separate number for each thread of the process, and a new thread starts with the number that any thread set last. So
a thread that starts during a `threads` block can inherit the temporary number. `threads` keeps a list of these numbers and gives
such a thread the number from outside the block.
"""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

SMALL = 20_000_000  # parameters: nano's models have 2.5 and 7.5 million, the smallest SAM 2.1 has 39 million
_CHOSEN_BY = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

_lock = threading.Lock()
_set_now: Counter[int] = Counter()  # numbers set temporarily, by any thread
_outside = 1  # the number outside of all blocks
_inside = threading.local()


def threads_for(model: Any) -> int | None:
    """The number of threads for a torch model: 1 for a small model on the CPU; None means no change."""
    if any(os.environ.get(name) for name in _CHOSEN_BY):
        return None
    parameters = list(model.parameters())
    small = sum(p.numel() for p in parameters) < SMALL
    return 1 if small and all(p.device.type == "cpu" for p in parameters) else None


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Sets torch's number of threads inside the block (None: the number outside all blocks) and restores it afterwards."""
    import torch

    now = torch.get_num_threads()
    before = _enter(now, number)
    nested, _inside.nested = getattr(_inside, "nested", False), True
    wanted = before if number is None else number
    if wanted != now:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        _inside.nested = nested
        with _lock:
            if number is not None:
                _set_now[number] -= 1
            if wanted != before:
                torch.set_num_threads(before)  # new threads inherit this number too


def _enter(now: int, number: int | None) -> int:
    """Registers `number` as set; returns the number to restore afterwards."""
    global _outside
    with _lock:
        if not any(_set_now.values()):
            _outside = now
        inherited = not getattr(_inside, "nested", False) and _set_now[now] > 0
        if number is not None:
            _set_now[number] += 1
        return _outside if inherited else now
