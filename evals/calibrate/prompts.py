"""Boxes and points made from the truth: exact ones, ones that are off, and what a person gives."""

import numpy as np

from t2s_agent.instance import Instance
from t2s_agent.mask import Mask

OFF = 0.10  # of the box's side: the standard deviation by which a side or a point of prompts that are off is moved
PERSONS = 0.05  # the same of a box that a person draws


def prompts_of(mask: Mask, size: tuple[int, int], rng: np.random.Generator) -> dict[str, Instance]:
    """By name: `truth` (box and two points in the object), `off` (the same, moved by 10 %), `box` (a person's), `point` (one).

    `size` is the View's height and width, which the prompts stay inside of.
    """
    ys, xs = np.nonzero(mask.pixels)
    spots = rng.integers(len(ys), size=2)
    points = np.stack([xs[spots] + mask.x + 0.5, ys[spots] + mask.y + 0.5], 1)
    box = np.array(mask.bounds, np.float64)
    sides = np.array([mask.width, mask.height, mask.width, mask.height], np.float64)
    off = _kept(box + rng.normal(0, OFF, 4) * sides, size)
    moved = np.clip(points + rng.normal(0, OFF, (2, 2)) * sides[:2], off[:2], off[2:])
    return {
        "truth": _instance(box, points),
        "off": _instance(off, moved),
        "box": _instance(_kept(box + rng.normal(0, PERSONS, 4) * sides, size), points[:0]),
        "point": Instance(None, _pairs(points[:1])),
    }


def _kept(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A box inside of the View and at least one pixel wide and high."""
    height, width = size
    x1, x2 = sorted(np.clip(box[[0, 2]], 0, width))
    y1, y2 = sorted(np.clip(box[[1, 3]], 0, height))
    x1, y1 = min(x1, width - 1.0), min(y1, height - 1.0)
    return np.array([x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)])


def _instance(box: np.ndarray, points: np.ndarray) -> Instance:
    x1, y1, x2, y2 = box.tolist()
    return Instance((x1, y1, x2, y2), _pairs(points))


def _pairs(points: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in points.tolist())
