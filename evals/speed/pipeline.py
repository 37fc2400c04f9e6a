"""Measures questions to nano about the demo scene, corrections of its answers, and the memory of a process."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from evals.speed.rows import Row, time_alternately
from t2s_agent.pipeline import Engine, Refinement, refine, segment
from t2s_agent.server.service import demo_folder
from t2s_agent.settings import load_settings

QUESTION = "Find the storage tanks."
SCENE = "harbour.tif"
# VmHWM, not getrusage: a child process of a larger process starts with the ru_maxrss of its parent
_MEASURED = "print(next(int(row.split()[1]) for row in open('/proc/self/status') if row.startswith('VmHWM')) / 1024)"
_ANSWERS = """
from pathlib import Path
from t2s_agent.pipeline import Engine, segment
from t2s_agent.settings import load_settings
engine = Engine.open(load_settings(store=Path({store!r}), prompter="nano", segmenter="nano", device="cpu"))
segment(engine, Path({scene!r}), {question!r})
"""
_LOADS = """
import torch
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration, Sam2Model
from t2s_agent.models import nano_folder
kept = [Qwen3VLForConditionalGeneration.from_pretrained(nano_folder("prompter")), Sam2Model.from_pretrained(nano_folder("segmenter"))]
"""


def changed_demo(seed: int, folder: Path) -> Path:
    """Returns a copy of the demo scene with one value in ten changed by one, so that no embedding is in a cache."""
    copy = folder / f"{seed}.tif"
    copy.write_bytes((demo_folder() / SCENE).read_bytes())
    with rasterio.open(copy, "r+") as file:
        pixels = file.read()
        changed = np.random.default_rng(seed).random(pixels.shape) < 0.1
        file.write(np.where(changed, pixels ^ 1, pixels))
    return copy


def nano_engine(folder: Path) -> Engine:
    """Returns an engine with nano and a store in the folder."""
    return Engine.open(load_settings(store=folder / "store", prompter="nano", segmenter="nano", device="cpu"))


def segment_demo(folder: Path, times: int) -> list[Row]:
    """Measures a question from file to stored result, against the models alone for the same image."""
    engine, seeds = nano_engine(folder), iter(range(10_000))

    def models_alone() -> None:
        with engine.scene(changed_demo(next(seeds), folder)) as scene:
            view = scene.view(max_size=engine.settings.max_size)
        answer = engine.models.prompter().answer([view], [QUESTION])[0]
        segmenter = engine.models.segmenter()
        segmenter.decode(segmenter.embed([view])[0], answer.instances)

    took = time_alternately(lambda: segment(engine, changed_demo(next(seeds), folder), QUESTION), models_alone, times)
    return [
        Row.of(
            "segment",
            "nano, demo scene, file to stored result",
            took[0],
            "reading the view, and nano's models alone",
            took[1],
        )
    ]


def refine_demo(folder: Path, times: int) -> list[Row]:
    """Measures a correction by a point and a filter by size, against the same question about a new image."""
    engine, seeds = nano_engine(folder), iter(range(10_000))
    found = segment(engine, demo_folder() / SCENE, QUESTION)
    lon, lat = found.regions[0].centroid
    point, size = Refinement(positive=((lon, lat),)), Refinement(min_area_m2=100.0)

    def again() -> None:
        segment(engine, changed_demo(next(seeds), folder), QUESTION)

    rows = []
    for what, how in (("a point that corrects a region", point), ("a filter by size", size)):
        took = time_alternately(partial(refine, engine, found.id, how), again, times)
        rows.append(Row.of("refine", what, took[0], "the question asked again of a new picture", took[1]))
    return rows


def memory(folder: Path, times: int) -> list[Row]:
    """Measures the peak memory of a process that answers a question, against one that only loads the same weights."""
    answers = _ANSWERS.format(store=str(folder / "store"), scene=str(demo_folder() / SCENE), question=QUESTION)
    pairs = [(_peak_mb(answers), _peak_mb(_LOADS)) for _ in range(times)]
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    return [
        Row.of(
            "memory",
            "a process that answers a question by nano",
            ours,
            "transformers that loads nano's weights",
            theirs,
            "MB",
        )
    ]


def _peak_mb(script: str) -> float:
    done = subprocess.run([sys.executable, "-c", f"{script}\n{_MEASURED}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a measured process failed: {done.stderr[-2000:]}")
    peak: Any = json.loads(done.stdout.splitlines()[-1])
    return float(peak)
