"""How many threads of the CPU a model computes with.

A tiny model's steps take microseconds, and with several threads each of them waits for all to arrive. Where something else keeps
one core busy, that takes longer than the step: nano answers eight times slower with two threads than with one
(`python -m evals.speed segment`). So a small model gets one thread. A larger one gets what torch chooses, or what the program around
us has set; and where OMP_NUM_THREADS or MKL_NUM_THREADS is set, somebody has chosen and nothing is changed.

torch keeps a number for each thread of the process, and gives a new thread the number that was set last anywhere. So a number that is
set here for a while may be inherited by a thread that begins meanwhile: `threads` knows which numbers it has set, and gives such a
thread the number from outside.
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
_set_now: Counter[int] = Counter()  # numbers that are set for a while, by some thread
_outside = 1  # the number where none of them is set
_inside = threading.local()


def threads_for(model: Any) -> int | None:
    """The number for a torch model: 1 for a small one on the CPU; None: leave what torch or the user has chosen."""
    if any(os.environ.get(name) for name in _CHOSEN_BY):
        return None
    parameters = list(model.parameters())
    small = sum(p.numel() for p in parameters) < SMALL
    return 1 if small and all(p.device.type == "cpu" for p in parameters) else None


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """torch computes with that many threads here (None: as outside of any such block), and afterwards with as many as before."""
    import torch

    now = torch.get_num_threads()
    before = _entered(now, number)
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
                torch.set_num_threads(before)  # also what new threads will have


def _entered(now: int, number: int | None) -> int:
    """The number to go back to, and notes that `number` is set from now on."""
    global _outside
    with _lock:
        if not any(_set_now.values()):
            _outside = now
        inherited = not getattr(_inside, "nested", False) and _set_now[now] > 0
        if number is not None:
            _set_now[number] += 1
        return _outside if inherited else now
