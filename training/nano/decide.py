"""The eye's last lesson: it makes up its mind. It learns to write what it writes already, but of a centre surely yes or surely no.

    python -m training.nano.decide --data runs/data/scenes_a runs/data/isaid --eye runs/eye --run runs/eye_decided --minutes 20

No truth is needed: `codes.decided` of its own tokens is what it learns. Whole images, turned, zoomed and tinted.
"""

import argparse
import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.nano.beginning import start
from training.nano.codes import ANSWERED, CENTRE, COORDINATES, COVER, GRID, LOUD, ONE, PLACE, decided
from training.nano.eye import Packed, batch_of, optimizers_of, pixels_of, see


def loss_of(tokens: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
    """How far tokens (B, K, WIDTH) are from those wanted. An answer counts as much as 4 cells that are none."""
    said, meant = tokens[..., CENTRE] / LOUD, wanted[..., CENTRE] / LOUD
    answer = meant > ANSWERED
    centre = ((said - meant).square() * (1 + 3 * answer)).sum(-1).mean()
    loud = answer.any(-1)
    numbers = (tokens[..., COORDINATES] - wanted[..., COORDINATES]).square().mean(-1)
    numbers = (numbers * torch.where(loud, 1.0, 0.05)).mean()
    rest = [(tokens[..., block] - wanted[..., block]).square().mean() for block in (COVER, PLACE, slice(ONE, None))]
    total = centre + 20 * numbers + rest[0] + 40 * rest[1] + 40 * rest[2]
    right = ((said > ANSWERED) & answer).sum() / answer.sum().clamp(min=1)
    precise = ((said > ANSWERED) & answer).sum() / (said > ANSWERED).sum().clamp(min=1)
    unsure = ((said > 0.25) & (said < 0.6)).sum() / answer.sum().clamp(min=1)
    return total, {
        "loss": float(total.detach()),
        "kept": float(right),
        "precise": float(precise),
        "unsure": float(unsure),
        "numbers": float(numbers.detach()),
    }


def train(
    visual: Any, sets: list[Packed], shares: list[float], run: Path, *, minutes: float, peak: float, size: int = 8
) -> None:
    """Trains for `minutes` from where `run` stopped; a line a minute, saved every two."""
    teacher = copy.deepcopy(visual).eval()
    if (run / "eye.pt").exists():
        visual.load_state_dict(torch.load(run / "eye.pt", weights_only=False)["visual"])
    optimizers = optimizers_of(visual, peak)
    rng = np.random.default_rng(0)
    visual.train()
    started = said = saved = time.monotonic()
    sums: dict[str, list[float]] = {}
    step = 0
    while (spent := (time.monotonic() - started) / 60) < minutes:
        rate = peak * min(1.0, (step + 1) / 50) * max(0.05, 0.5 * (1 + np.cos(np.pi * spent / minutes)))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        samples, _ = batch_of(sets, shares, rng, size)
        pixels = pixels_of(samples, rng, 0, 0, GRID)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                wanted = decided(see(teacher, pixels).float())
            tokens = see(visual, pixels).float()
        loss, figures = loss_of(tokens, wanted)
        visual.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(visual.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        if now - said > 60:
            words = "  ".join(f"{name} {np.mean(values):.3f}" for name, values in sums.items())
            print(f"{spent:6.1f} min  step {step}  {words}", flush=True)
            sums, said = {}, now
        if now - saved > 120:
            _save(run, visual)
            saved = now
    _save(run, visual)


def _save(run: Path, visual: nn.Module) -> None:
    fresh = run / "eye.new"
    torch.save({"visual": visual.state_dict()}, fresh)
    fresh.replace(run / "eye.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="packed folders")
    parser.add_argument("--shares", type=float, nargs="+", help="how often each is drawn; equal by default")
    parser.add_argument("--eye", type=Path, default=Path("runs/eye"))
    parser.add_argument("--run", type=Path, default=Path("runs/eye_decided"))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--peak", type=float, default=4e-4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, _, _ = start(options.run)
    visual = model.model.visual
    visual.load_state_dict(torch.load(options.eye / "eye.pt", weights_only=False)["visual"])
    sets = [Packed.load(folder) for folder in options.data]
    shares = np.array(options.shares or [1.0] * len(sets))
    train(visual, sets, list(shares / shares.sum()), options.run, minutes=options.minutes, peak=options.peak)


if __name__ == "__main__":
    main()
