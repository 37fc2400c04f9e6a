"""Measures the reward engine beside the reference code's way, in one run. Prints a table; nothing passes or fails.

    python -m training.rewards.measure                     a SAM 2.1 of hiera-small's size with random weights, 1,024 px
    python -m training.rewards.measure --segmenter nano    nano's weights, whose masks mean something, for equal rewards

One question has `--group` completions with `--instances` instances each, all of them different. The reference code's way is one pass of
the image encoder for each completion and one call of transformers' decoder for each instance. All rows but the last have the
same dtype; the last one is bfloat16, for which differences of rewards are stated like for the others.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evals.datasets.sample import Truth
from evals.speed.models import picture
from t2s_agent.accelerator import device_of, load_weights
from t2s_agent.models import nano_folder
from t2s_agent.prompting.frames import Frame, Size
from t2s_agent.prompting.style import DEFAULT_STYLE
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.sam2 import Sam2Segmenter
from training.recipe import Reward
from training.rewards.asked import Asked, Judged
from training.rewards.engine import RewardEngine
from training.rewards.naive import TransformersSegmenter, judge_naively

SIDE = 1024
_HIERA_SMALL = {
    "model_type": "sam2_hiera_det_model",
    "blocks_per_stage": [1, 2, 11, 2],
    "global_attention_blocks": [7, 10, 13],
}


@dataclass(frozen=True, slots=True)
class Row:
    """A way, its seconds by the clock and of the processor, and how far its rewards are from the first way's at most."""

    way: str
    wall_s: float
    cpu_s: float
    difference: float


def hiera_small(folder: Path) -> Path:
    """Saves a Sam2Model of hiera-small's size with random weights. Returns the folder."""
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(0)
    Sam2Model(Sam2Config(vision_config={"backbone_config": _HIERA_SMALL})).save_pretrained(folder)
    return folder


def question(side: int) -> Asked:
    """A question about random pixels, whose truth is a square."""
    truth = np.zeros((side, side), bool)
    truth[side // 4 : side // 2, side // 4 : side // 2] = True
    size = Size(side, side)
    return Asked("q", picture(0, side), Truth(truth), DEFAULT_STYLE, Frame(size, size))


def completions(group: int, instances: int, side: int) -> list[str]:
    """Answers with different boxes, each with two points."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(group):
        items = []
        for x, y in rng.integers(0, side * 3 // 4, (instances, 2)).tolist():
            w, h = rng.integers(side // 16, side // 4, 2).tolist()
            points = [[x + w // 3, y + h // 3], [x + w // 2, y + h // 2]]
            items.append({"bbox_2d": [x, y, x + w, y + h], "positive_points": points})
        found.append(f"<think>t</think><answer>```json{json.dumps(items)}```</answer>")
    return found


def measure(folder: Path, asked: Asked, texts: Sequence[str], device: str, store: Path) -> list[Row]:
    """All ways, one after the other. `store` is an empty folder for embeddings."""
    reward = Reward(same=1.0)
    group = [asked] * len(texts)
    plain = load_weights("Sam2Model", folder, device=device, dtype="float32")
    half = load_weights("Sam2Model", folder, device=device, dtype="bfloat16")
    for model in (plain, half):
        _segmenter(model, EmbeddingCache(0, store)).embed([asked.view])

    def reference(cache: EmbeddingCache) -> TransformersSegmenter:
        return TransformersSegmenter(plain, _segmenter(plain, cache))

    ways: dict[str, Callable[[], list[Judged]]] = {
        "as the reference code": lambda: judge_naively(reference(EmbeddingCache(0)), reward, group, texts),
        "one embedding a group": lambda: RewardEngine(reference(EmbeddingCache()), reward).judge(group, texts),
        "one embedding a dataset": lambda: RewardEngine(reference(EmbeddingCache(0, store)), reward).judge(
            group, texts
        ),
        "and our decoder": lambda: RewardEngine(_segmenter(plain, EmbeddingCache(0, store)), reward).judge(
            group, texts
        ),
        "and bfloat16": lambda: RewardEngine(_segmenter(half, EmbeddingCache(0, store)), reward).judge(group, texts),
    }
    rows: list[Row] = []
    first: list[float] = []
    for way, work in ways.items():
        wall, cpu = time.perf_counter(), time.process_time()
        totals = [each.total for each in work()]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        first = first or totals
        rows.append(Row(way, wall, cpu, max(abs(a - b) for a, b in zip(totals, first, strict=True))))
        print(_line(rows[-1], rows[0]), flush=True)
    return rows


def _segmenter(model: Any, cache: EmbeddingCache) -> Sam2Segmenter:
    side = model.prompt_encoder.input_image_size
    return Sam2Segmenter(model, name="measured", digest="measured", side=side, cache=cache)


def _line(row: Row, first: Row) -> str:
    return (
        f"| {row.way} | {row.wall_s:.2f} | {first.wall_s / row.wall_s:.1f} | {row.cpu_s:.2f} | {first.cpu_s / row.cpu_s:.1f} "
        f"| {row.difference:.1e} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table of all ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segmenter", choices=["hiera-small", "nano"], default="hiera-small")
    parser.add_argument("--group", type=int, default=16)
    parser.add_argument("--instances", type=int, default=4)
    parser.add_argument("--side", type=int, default=SIDE, help="of the View, in px")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(arguments)
    device = device_of(given.device)
    texts = completions(given.group, given.instances, given.side)
    with tempfile.TemporaryDirectory() as scratch:
        nano = given.segmenter == "nano"
        folder = nano_folder("segmenter") if nano else hiera_small(Path(scratch) / "model")
        print(
            f"{given.segmenter}, View of {given.side} px, {len(texts)} completions x {given.instances} instances, {device},",
            end=" ",
        )
        print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
        print("| way | s | times | processor s | times | largest difference of rewards |\n|---|---|---|---|---|---|")
        measure(folder, question(given.side), texts, device, Path(scratch) / "store")


if __name__ == "__main__":
    main()
