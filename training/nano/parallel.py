"""One process a core, each with its own samples, all with the same weights: gradients are averaged at each step."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn


def rank() -> int:
    """Which of the processes this is; 0 prints and saves."""
    return dist.get_rank() if dist.is_initialized() else 0


def averaged(weights: Iterable[nn.Parameter], spent: float) -> float:
    """Averages the gradients over all processes, and the minutes spent, which decide when to stop; alone, changes nothing."""
    if not dist.is_initialized():
        return spent
    grads = [p.grad for p in weights if p.grad is not None]
    flat = torch.cat([*(g.flatten() for g in grads), torch.tensor([spent])])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for grad, mean in zip(grads, torch.split(flat[:-1], [g.numel() for g in grads]), strict=True):
        grad.copy_(mean.view_as(grad))
    return float(flat[-1])


def run(work: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Does `work` in `options.processes` processes of one thread, which meet over a file in the folder `options.run`."""
    meeting = (options.run / "meeting").absolute()
    meeting.unlink(missing_ok=True)
    if options.processes == 1:
        torch.set_num_threads(1)
        work(options)
        return
    spawn(_one, args=(work, options, meeting), nprocs=options.processes)


def _one(number: int, work: Callable[[argparse.Namespace], None], options: argparse.Namespace, meeting: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=number, world_size=options.processes)
    work(options)
