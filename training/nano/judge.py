"""How faithfully nano's language side says what its eye says, in greedy answers as the product gets them.

    python -m training.nano.judge --prompter runs/export/prompter --count 40

Teacher-forced figures do not show an answer that repeats itself or does not end: decide between runs on these. Scenes of seeds
from 9,500,000 on, which neither training nor test uses; `--coco` for other imagery. Questions are held-out phrasings.
"""

import argparse
import re
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from t2s_agent.models import Models, nano_folder
from t2s_agent.settings import load_settings
from training.nano.codes import GRID, read_out
from training.nano.evaluate import Case, cases, view_of
from training.nano.eye import see
from training.nano.pack import coco, procedural
from training.nano.questions import CATEGORIES

FIRST_SEED = 9_500_000
_INSTANCE = re.compile(r'"at": \[(\d+), (\d+)\], "label": "[a-z ]+", "bbox_2d": \[(\d+),(\d+),(\d+),(\d+)\]')
_THOUGHT = re.compile(r"Looking for (?:the \w+ )?(.*?)\.<")


def said(raw: str) -> tuple[list[int], NDArray[np.float64]]:
    """The cells (N,) that an answer names, as often as it does, and its boxes (N, 4) in 0..1000."""
    rows = np.array([[int(n) for n in found] for found in _INSTANCE.findall(raw)], float).reshape(-1, 6)
    cells = (rows[:, 1] * GRID // 1000 * GRID + rows[:, 0] * GRID // 1000).astype(int)
    return cells.tolist(), rows[:, 2:]


def judged(asked: list[Case], models: Models, visual: torch.nn.Module) -> dict[str, float]:
    """Means over the cases; `faithful` is the share of answers with all the cells that the eye says, and no others."""
    prompter = models.prompter()
    named, faithful, repeats, parsable = [], [], [], []
    right = spoken = there = 0
    off = []
    for case in asked:
        answer = prompter.answer([view_of(case.rgb)], [case.question])[0]
        parsable.append(answer.status != "unparsable")
        thought = _THOUGHT.search(answer.raw)
        named.append(thought is not None and thought[1] == CATEGORIES[case.category])
        if thought is None:
            continue
        at, category, numbers = read_out(_tokens(visual, case.rgb))
        own = category == CATEGORIES.index(thought[1])
        true = dict(zip(at[own].tolist(), numbers[own].numpy(), strict=True))
        cells, boxes = said(answer.raw)
        once = set(cells)
        repeats.append(len(cells) - len(once))
        good = once & set(true)
        right, spoken, there = right + len(good), spoken + len(once), there + len(true)
        faithful.append(once == set(true))
        off += [np.abs(box - true[cell][:4]).mean() for cell, box in zip(cells, boxes, strict=True) if cell in true]
    return {
        "category named": float(np.mean(named)),
        "parsable": float(np.mean(parsable)),
        "faithful": float(np.mean(faithful)),
        "cells precision": right / max(spoken, 1),
        "cells recall": right / max(there, 1),
        "repeats": float(np.mean(repeats)),
        "box error": float(np.mean(off)) if off else float("nan"),
    }


@torch.inference_mode()
def _tokens(visual: torch.nn.Module, rgb: NDArray[np.uint8]) -> Tensor:
    pixels = torch.from_numpy(rgb.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None].contiguous()
    return see(visual, pixels)[0].float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompter", type=Path, default=nano_folder("prompter"))
    parser.add_argument("--coco", type=Path, help="a COCO file beside its tar; procedural scenes without")
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = coco(options.coco) if options.coco else procedural(range(FIRST_SEED, FIRST_SEED + options.count))
    visual = Qwen3VLForConditionalGeneration.from_pretrained(options.prompter, dtype=torch.float32).model.visual
    models = Models(load_settings(prompter=str(options.prompter), device="cpu"))
    asked = list(cases(islice(images, options.count), frozenset(range(len(CATEGORIES)))))
    for name, value in judged(asked, models, visual).items():
        print(f"{name:16s}{value:8.3f}")


if __name__ == "__main__":
    main()
