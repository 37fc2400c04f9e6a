"""Runs one training process for each core, with the same weights and its own samples, and averages their gradients."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn


def rank() -> int:
    """Returns the number of this process; process 0 prints and saves."""
    return dist.get_rank() if dist.is_initialized() else 0


def average_gradients(weights: Iterable[nn.Parameter], spent: float) -> float:
    """Averages gradients in place over all processes and returns their mean `spent` minutes; with one process changes nothing."""
    if not dist.is_initialized():
        return spent
    grads = [p.grad for p in weights if p.grad is not None]
    flat = torch.cat([*(g.flatten() for g in grads), torch.tensor([spent])])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for grad, mean in zip(grads, torch.split(flat[:-1], [g.numel() for g in grads]), strict=True):
        grad.copy_(mean.view_as(grad))
    return float(flat[-1])


def gather(value: Any) -> list[Any]:
    """Returns the value of each process, in their order, in all of them."""
    if not dist.is_initialized():
        return [value]
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def run(work: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Runs `work` in `options.processes` processes of one thread each, which find each other by a file in `options.run`."""
    meeting = (options.run / "meeting").absolute()
    meeting.unlink(missing_ok=True)
    if options.processes == 1:
        torch.set_num_threads(1)
        work(options)
        return
    spawn(_run_process, args=(work, options, meeting), nprocs=options.processes)


def _run_process(
    number: int, work: Callable[[argparse.Namespace], None], options: argparse.Namespace, meeting: Path
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=number, world_size=options.processes)
    work(options)
