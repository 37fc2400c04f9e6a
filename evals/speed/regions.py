"""Times `build_regions` of both builds on the same masks, and compares what they made of them."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from evals.speed.draw_masks import draw
from evals.speed.side_by_side import HERE, run

CASES = ((125, 640), (250, 640), (500, 640), (2_000, 1_024))


def compare(against: Path, *, seed: int = 0, repeats: int = 3) -> bool:
    """Prints a table; whether all ids, pixels, outlines and warnings are equal."""
    print(f"{'masks':>6}{'px':>6}{'old CPU s':>11}{'new CPU s':>11}{'ratio':>8}{'old MB':>9}{'new MB':>9}  equal")
    alike = True
    for count, side in CASES:
        with tempfile.TemporaryDirectory() as folder:
            masks = Path(folder) / "masks.npz"
            _write(masks, count, side, seed)
            outs = Path(folder) / "old.npz", Path(folder) / "new.npz"
            times: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
            for number in range(repeats):  # in turn, so that what else the machine does hits both
                for checkout, out, own in zip((against, HERE), outs, times, strict=True):
                    if checkout == HERE or number == 0 or count <= 500:
                        run("build_worker.py", checkout, (masks, out), OMP_NUM_THREADS="1")
                        own.append(json.loads(out.with_suffix(".json").read_text(encoding="utf-8")))
            equal = _equal(*(np.load(out) for out in outs))
        (old, new), (old_mb, new_mb) = (
            [min(each[name] for each in own) for own in times] for name in ("cpu_s", "peak_mb")
        )
        words = ", ".join(name for name, same in equal.items() if same)
        differing = ", ".join(name for name, same in equal.items() if not same)
        print(
            f"{count:>6}{side:>6}{old:>11.2f}{new:>11.3f}{old / new:>8.1f}{old_mb:>9.0f}{new_mb:>9.0f}  "
            f"{words}{'; NOT ' + differing if differing else ''}",
            flush=True,
        )
        alike &= all(same for name, same in equal.items() if name != "stored geometry")
    return alike


def _write(path: Path, count: int, side: int, seed: int) -> None:
    drawn = draw(count, side, seed)
    scores = np.random.default_rng(seed).uniform(0.3, 1, count).astype(np.float32)
    pixels: dict[str, Any] = {f"pixels{i}": each.pixels for i, each in enumerate(drawn)}
    np.savez(path, side=side, x=[d.x for d in drawn], y=[d.y for d in drawn], scores=scores, **pixels)


def _equal(old: Any, new: Any) -> dict[str, bool]:
    before, after = (json.loads(str(each["said"])) for each in (old, new))
    return {
        "labels": bool((old["labels"] == new["labels"]).all()),
        **{name: before[name] == after[name] for name in ("ids", "outlines", "warnings")},
        "stored geometry": str(old["stored"]) == str(new["stored"]),
    }
