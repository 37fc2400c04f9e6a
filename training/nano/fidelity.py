"""Measures how faithfully nano's language model writes what its image tokens encode, in greedy answers as in the product.

    python -m training.nano.fidelity --prompter runs/export/prompter --count 40

Teacher-forced figures do not show answers that repeat or do not end, so use these figures to choose between runs. The scenes have seeds
from 9,500,000 on, which neither training nor test uses; `--coco` takes other images. Questions are held-out phrasings.

The last figures are cIoU: of the answers, of a faithful answer, and of a faithful answer with the true category.
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

from evals.questions import CATEGORIES, hinting, naming
from t2s_agent.instance import Instance
from t2s_agent.models import Models, nano_folder
from t2s_agent.segmenting.segmenter import Embedding, Segmenter
from t2s_agent.settings import load_settings
from training.nano.evaluate import Case, Mask, Score, cases, union_mask, view_of
from training.nano.eye import encode_image
from training.nano.image_tokens import GRID, SIDE, read_out
from training.nano.pack import coco, procedural

FIRST_SEED = 9_500_000
_INSTANCE = re.compile(r'"at": \[(\d+), (\d+)\], "label": "[a-z ]+", "bbox_2d": \[(\d+),(\d+),(\d+),(\d+)\]')
_THOUGHT = re.compile(r"Looking for (?:the \w+ )?(.*?)\.<")


def parse_cells_and_boxes(raw: str) -> tuple[list[int], NDArray[np.float64]]:
    """Returns the cells (N,) in an answer, repeats included, and its boxes (N, 4) in 0..1000."""
    rows = np.array([[int(n) for n in found] for found in _INSTANCE.findall(raw)], float).reshape(-1, 6)
    cells = (rows[:, 1] * GRID // 1000 * GRID + rows[:, 0] * GRID // 1000).astype(int)
    return cells.tolist(), rows[:, 2:]


def measure(asked: list[Case], models: Models, visual: torch.nn.Module) -> dict[str, float]:
    """Returns means over the cases; `faithful` is the share of answers with exactly the cells that the image tokens encode."""
    prompter, segmenter = models.prompter(), models.segmenter()
    scores = {name: Score() for name in ("answered", "read out", "read out, true category")}
    understood, faithful, repeats, parsable = [], [], [], []
    right = spoken = there = 0
    off = []
    for case in asked:
        answer = prompter.answer([view_of(case.rgb)], [case.question])[0]
        parsable.append(answer.status != "unparsable")
        thought = _THOUGHT.search(answer.raw)
        understood.append(thought is not None and thought[1] == CATEGORIES[case.category])
        at, category, numbers = read_out(_tokens(visual, case.rgb))
        thought_category = CATEGORIES.index(thought[1]) if thought else -1
        embedding = segmenter.embed([view_of(case.rgb)])[0]
        scores["answered"].add(union_mask(segmenter.decode(embedding, answer.instances)), case.truth)
        for name, wanted in (("read out", thought_category), ("read out, true category", case.category)):
            scores[name].add(_masked(numbers[category == wanted], segmenter, embedding), case.truth)
        if thought is None:
            continue
        own = category == thought_category
        true = dict(zip(at[own].tolist(), numbers[own].numpy(), strict=True))
        cells, boxes = parse_cells_and_boxes(answer.raw)
        once = set(cells)
        repeats.append(len(cells) - len(once))
        good = once & set(true)
        right, spoken, there = right + len(good), spoken + len(once), there + len(true)
        faithful.append(once == set(true))
        off += [np.abs(box - true[cell][:4]).mean() for cell, box in zip(cells, boxes, strict=True) if cell in true]
    return {
        "category named": float(np.mean(understood)),
        "parsable": float(np.mean(parsable)),
        "faithful": float(np.mean(faithful)),
        "cells precision": right / max(spoken, 1),
        "cells recall": right / max(there, 1),
        "repeats": float(np.mean(repeats)),
        "box error": float(np.mean(off)) if off else float("nan"),
        **{f"cIoU {name}": score.ciou for name, score in scores.items()},
    }


def measure_phrasings(models: Models, rgb: NDArray[np.uint8]) -> dict[str, float]:
    """Returns the share of all held-out questions for which nano names the right category, asked about one image."""
    prompter = models.prompter()
    shares = {}
    for kind, bank in (("naming", naming), ("hinting", hinting)):
        right = []
        for category, questions in bank.HELD_OUT.items():
            for question in questions:
                thought = _THOUGHT.search(prompter.answer([view_of(rgb)], [question])[0].raw)
                right.append(thought is not None and thought[1] == category)
        shares[f"all held-out {kind}"] = float(np.mean(right))
    return shares


def _masked(numbers: Tensor, segmenter: Segmenter, embedding: Embedding) -> Mask:
    """Returns the union of the segmenter's masks for boxes and two points each (N, 8) in 0..1000."""
    rows = (numbers.numpy() * SIDE / 1000).tolist()
    prompts = [Instance((x1, y1, x2, y2), ((ax, ay), (bx, by))) for x1, y1, x2, y2, ax, ay, bx, by in rows]
    return union_mask(segmenter.decode(embedding, prompts))


@torch.inference_mode()
def _tokens(visual: torch.nn.Module, rgb: NDArray[np.uint8]) -> Tensor:
    pixels = torch.from_numpy(rgb.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None].contiguous()
    return encode_image(visual, pixels)[0].float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompter", type=Path, default=nano_folder("prompter"))
    parser.add_argument("--coco", type=Path, help="a COCO file, in the folder of its tar; default: procedural scenes")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--phrasings", action="store_true", help="ask all held-out questions too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = coco(options.coco) if options.coco else procedural(range(FIRST_SEED, FIRST_SEED + options.count))
    visual = Qwen3VLForConditionalGeneration.from_pretrained(options.prompter, dtype=torch.float32).model.visual
    models = Models(load_settings(prompter=str(options.prompter), device="cpu"))
    asked = list(cases(islice(images, options.count), frozenset(range(len(CATEGORIES)))))
    figures = measure(asked, models, visual)
    if options.phrasings:
        figures |= measure_phrasings(models, asked[0].rgb)
    for name, value in figures.items():
        print(f"{name:30s}{value:8.3f}")


if __name__ == "__main__":
    main()
