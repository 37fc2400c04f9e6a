"""Measures nano's prompter and segmenter together, as the product runs them, and baselines that need no model.

    python -m training.nano.evaluate --coco ../shared/data/isaid448/test.json --count 200
    python -m training.nano.evaluate --count 200
    python -m training.nano.evaluate --count 20 --seed 7 --sheet docs/nano.jpg

Without `--coco` it uses procedural scenes that were not used in training. Each image has one question in a held-out phrasing; one in
four asks for a category that is not in the image. cIoU is the sum of intersections over the sum of unions, with false positives; gIoU
is the mean IoU over images, 1 if nothing is there and nothing was found. Where possible, a second question asks for one object of
several (the largest, the northernmost), and a third for the objects that are near something: at most 64 px between edges, if no object
is between 64 and 128 px from it.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch.nn import functional as F

from evals.metrics.overlap import boxes_iou, iou, overlap_of
from evals.questions import CATEGORIES, pick
from evals.questions.extremes import EXTREMES, extreme, extreme_question
from evals.questions.relations import RELATIONS, relation_question
from evals.questions.words import NAMES
from t2s_agent.instance import Instance
from t2s_agent.mask import union_of
from t2s_agent.models import Models
from t2s_agent.prompting.answer import Answer
from t2s_agent.scene import Georeference, View, Window
from t2s_agent.segmenting.segmenter import Masks
from t2s_agent.settings import load_settings
from training.nano.image_tokens import SIDE
from training.nano.pack import LAND, Labelled, coco, numbers_of, procedural

FIRST_TEST_SEED = 10_000_000
NEAR_PX = 64  # objects are near up to this distance between edges
FAR_PX = 128  # objects are not near beyond this distance; no question is asked if one is in between
BLOCK_PX = 4  # masks are reduced to blocks of this size to measure nearness
FOUND_IOU = 0.2  # box IoU above which an object counts as found
MAX_TRUE_PROMPTS = 6  # prompts an image for the upper bound, as in the published figures

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """One question about one image: its category, its true mask, and the masks of the single objects (empty: absent).

    For land, `truth` has the small parts too, `masks` does not.
    """

    rgb: NDArray[np.uint8]
    category: int
    question: str
    masks: tuple[Mask, ...]
    truth: Mask


def cases(images: Iterator[Labelled], known: frozenset[int], seed: int = 0) -> Iterator[Case]:
    """Yields one held-out question an image; one of four is for an absent category. `known`: the categories that the truth covers."""
    rng = np.random.default_rng(seed)
    for labelled in images:
        present = sorted({category for category, _ in labelled.objects})
        absent = sorted(known - set(present) - {category for category, _ in labelled.land})
        category = int(rng.choice(absent if not present or rng.random() < 0.25 else present))
        masks = tuple(mask for kind, mask in labelled.objects if kind == category)
        ground = [mask for kind, mask in labelled.land if kind == category]
        truth = np.any([*masks, *ground], axis=0) if masks else np.zeros((SIDE, SIDE), bool)
        yield Case(labelled.rgb, category, pick(CATEGORIES[category], rng, held_out=True), masks, truth)


@dataclass(frozen=True, slots=True)
class Choice:
    """A question for one of several objects of a category: boxes (N, 4) in pixels, and which of them is asked for."""

    rgb: NDArray[np.uint8]
    question: str
    boxes: NDArray[np.float64]
    wanted: int


def choices(images: Iterator[Labelled], seed: int = 1) -> Iterator[Choice]:
    """Yields at most one question an image, if a category has several objects and one clearly is the extreme."""
    rng = np.random.default_rng(seed)
    for labelled in images:
        boxes: dict[int, list[list[float]]] = {}
        for category, mask in labelled.objects:
            if CATEGORIES[category] not in LAND:
                boxes.setdefault(category, []).append(numbers_of(mask)[:4])
        possible = [
            (category, kind, one)
            for category, each in boxes.items()
            for kind in EXTREMES
            if (one := extreme(kind, np.array(each))) is not None
        ]
        if possible:
            category, kind, one = possible[rng.integers(len(possible))]
            question = extreme_question(CATEGORIES[category], kind, rng, held_out=True)
            yield Choice(labelled.rgb, question, np.array(boxes[category]) * SIDE / 1000, one)


@dataclass(frozen=True, slots=True)
class Relation:
    """A question for the objects of a category that are near something: boxes (N, 4) in pixels of all, and which are near (N,).

    `plain` is the question for all objects of the category.
    """

    rgb: NDArray[np.uint8]
    question: str
    plain: str
    boxes: NDArray[np.float64]
    near: NDArray[np.bool_]


def relations(images: Iterator[Labelled], seed: int = 2) -> Iterator[Relation]:
    """Yields at most one question an image, if some objects of a category are near a landmark, others are far, and none is in between."""
    rng = np.random.default_rng(seed)
    for labelled in images:
        of_kind: dict[int, list[Mask]] = {}
        for category, mask in labelled.objects:
            of_kind.setdefault(category, []).append(mask)
        possible = []
        for landmark in RELATIONS.values():
            there = [m for c, m in [*labelled.objects, *labelled.land] if CATEGORIES[c] == landmark]
            if not there:
                continue
            around, further = (dilate(np.any(there, axis=0), px) for px in (NEAR_PX, FAR_PX))
            for category, masks in of_kind.items():
                near = np.array([bool((around & mask).any()) for mask in masks])
                far = np.array([not (further & mask).any() for mask in masks])
                land = CATEGORIES[category] in LAND or CATEGORIES[category] == landmark
                if not land and near.any() and far.any() and (near | far).all():
                    possible.append((category, landmark, near))
        if possible:
            category, landmark, near = possible[rng.integers(len(possible))]
            name = CATEGORIES[category]
            boxes = np.array([numbers_of(mask)[:4] for mask in of_kind[category]]) * SIDE / 1000
            question = relation_question(name, landmark, rng, held_out=True)
            yield Relation(labelled.rgb, question, f"Find all {NAMES[name][0]}.", boxes, near)


def dilate(mask: Mask, px: int) -> Mask:
    """Returns the mask with all pixels at most `px` rows and columns from it, in blocks of `BLOCK_PX` px."""
    wide = F.max_pool2d(torch.from_numpy(mask)[None, None].float(), BLOCK_PX)
    reach = px // BLOCK_PX
    for size in ((2 * reach + 1, 1), (1, 2 * reach + 1)):
        wide = F.max_pool2d(wide, size, stride=1, padding=(size[0] // 2, size[1] // 2))
    return np.asarray((wide[0, 0] > 0).numpy().repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1))


class Score:
    """Collects cases and computes cIoU, gIoU and the share of false positives among the cases with an empty truth."""

    def __init__(self) -> None:
        self.inside = self.union = 0
        self.overlaps: list[float] = []
        self.false_positives: list[bool] = []

    def add(self, said: Mask, truth: Mask) -> None:
        overlap = overlap_of(said, truth)
        self.inside, self.union = self.inside + overlap.intersection, self.union + overlap.union
        self.overlaps.append(iou(overlap))
        if not truth.any():
            self.false_positives.append(bool(said.any()))

    @property
    def ciou(self) -> float:
        return self.inside / max(self.union, 1)

    def line(self, name: str) -> str:
        wrong = f"{np.mean(self.false_positives):7.2f}" if self.false_positives else "      -"
        return f"{name:34s}{self.ciou:8.3f}{np.mean(self.overlaps):8.3f}{wrong}{len(self.overlaps):6d}"


def fill_boxes(boxes: NDArray[np.float64]) -> Mask:
    """Returns the mask of the union of boxes (N, 4) in pixels."""
    mask = np.zeros((SIDE, SIDE), bool)
    for x1, y1, x2, y2 in boxes:
        mask[round(y1) : round(y2), round(x1) : round(x2)] = True
    return mask


def mean_boxes(images: Iterator[Labelled]) -> NDArray[np.float64]:
    """Returns the mean box of each category's largest object an image, (24, 4) in pixels: a baseline that does not look at the image."""
    sums, counts = np.zeros((24, 4)), np.zeros(24)
    for labelled in images:
        largest: dict[int, Mask] = {}
        for category, mask in labelled.objects:
            if category not in largest or mask.sum() > largest[category].sum():
                largest[category] = mask
        for category, mask in largest.items():
            sums[category] += np.array(numbers_of(mask)[:4]) * SIDE / 1000
            counts[category] += 1
    return sums / np.maximum(counts, 1)[:, None]


def true_prompts(case: Case) -> list[Instance]:
    """Returns boxes and two points from the truth, for the largest objects."""
    prompts = []
    for mask in sorted(case.masks, key=lambda m: -int(m.sum()))[:MAX_TRUE_PROMPTS]:
        x1, y1, x2, y2, ax, ay, bx, by = (n * SIDE / 1000 for n in numbers_of(mask))
        prompts.append(Instance((x1, y1, x2, y2), ((ax, ay), (bx, by))))
    return prompts


def view_of(rgb: NDArray[np.uint8]) -> View:
    """Returns an image as a View without georeference."""
    valid = np.ones((SIDE, SIDE), bool)
    return View(rgb, valid, Georeference(), Window(0, 0, SIDE, SIDE), None, (1, 2, 3))


def run_choices(asked: list[Choice], models: Models) -> None:
    """Asks nano each question for one of several, and prints how often the first box is on the right object."""
    prompter = models.prompter()
    right, any_object, single = [], [], []
    for choice in asked:
        boxes = _boxes(prompter.answer([view_of(choice.rgb)], [choice.question])[0])
        overlaps = boxes_iou(boxes[0], choice.boxes) if len(boxes) else np.zeros(len(choice.boxes))
        any_object.append(overlaps.max() > FOUND_IOU)
        right.append(overlaps.max() > FOUND_IOU and int(overlaps.argmax()) == choice.wanted)
        single.append(len(boxes) == 1)
    chance = np.mean([1 / len(choice.boxes) for choice in asked])
    print(
        f"\none of several ({len(asked)} questions): the right one {np.mean(right):.3f}, some object of the kind "
        f"{np.mean(any_object):.3f} (IoU of boxes above 0.2), one box answered {np.mean(single):.3f}; "
        f"an object of the kind drawn at random would be right in {chance:.3f}"
    )


def run_relations(asked: list[Relation], models: Models) -> None:
    """Asks each question and its plain form; prints the share of found objects that are near, and of near objects that are found."""
    prompter = models.prompter()
    print(
        f"\nthose near something ({len(asked)} questions, {np.mean(np.concatenate([r.near for r in asked])):.2f} are)"
    )
    for name in ("question", "plain"):
        good = found = there = 0
        for relation in asked:
            boxes = _boxes(prompter.answer([view_of(relation.rgb)], [getattr(relation, name)])[0])
            hit = np.zeros(len(relation.near), bool)
            for box in boxes:
                overlaps = boxes_iou(box, relation.boxes)
                hit[overlaps.argmax()] |= overlaps.max() > FOUND_IOU
            good += int((hit & relation.near).sum())
            found += int(hit.sum())
            there += int(relation.near.sum())
        what = "those near are asked for" if name == "question" else "all are asked for"
        print(f"  {what:26s} of those found, near {good / max(found, 1):.3f}; of those near, found {good / there:.3f}")


def run(chosen: list[Case], boxes: NDArray[np.float64], models: Models, sheet: Path | None = None) -> None:
    """Asks nano each question and prints the table."""
    prompter, segmenter = models.prompter(), models.segmenter()
    scores: dict[str, Score] = {}
    by_category: dict[str, Score] = {}
    named, found_parsable, seconds = [], [], []
    pictures: list[Image.Image] = []

    def score(name: str, said: Mask, case: Case) -> None:
        scores.setdefault(name, Score()).add(said, case.truth)
        if not case.masks:
            return
        scores.setdefault(f"{name}, present only", Score()).add(said, case.truth)

    blind: dict[str, Callable[[Case], Mask]] = {
        "whole image": lambda _: np.ones((SIDE, SIDE), bool),
        "middle quarter": lambda _: fill_boxes(np.array([[SIDE / 4, SIDE / 4, SIDE * 3 / 4, SIDE * 3 / 4]])),
        "category's mean box": lambda case: fill_boxes(boxes[case.category : case.category + 1]),
        "always nothing": lambda _: np.zeros((SIDE, SIDE), bool),
    }
    for case in chosen:
        answer = prompter.answer([view_of(case.rgb)], [case.question])[0]
        seconds.append(answer.seconds)
        found_parsable.append(answer.status != "unparsable")
        named.append(CATEGORIES[case.category] in answer.thinking.split(" near ")[0])
        embedding = segmenter.embed([view_of(case.rgb)])[0]
        said = union_mask(segmenter.decode(embedding, answer.instances))
        score("nano", said, case)
        score("nano, boxes filled", fill_boxes(_boxes(answer)), case)
        for name, draw in blind.items():
            score(name, draw(case), case)
        ceiling = true_prompts(case)
        score("true prompts, nano's masks", union_mask(segmenter.decode(embedding, ceiling)), case)
        score("true boxes filled", fill_boxes(_boxes(replace(answer, instances=tuple(ceiling)))), case)
        by_category.setdefault(CATEGORIES[case.category], Score()).add(said, case.truth)
        if sheet:
            pictures.append(_picture(case, answer, said))
    if sheet:
        _save_sheet(pictures, sheet)
    print(f"{'':34s}{'cIoU':>8}{'gIoU':>8}{'false+':>7}{'n':>6}")
    for name, each in scores.items():
        print(each.line(name))
    print("\nnano by category")
    for name, each in sorted(by_category.items()):
        print(each.line(name))
    print(
        f"\ncategory named rightly {np.mean(named):.3f}, parsable {np.mean(found_parsable):.3f}, "
        f"an answer takes {np.median(seconds):.2f} s (median), {max(seconds):.2f} s at most"
    )


def _boxes(answer: Answer) -> NDArray[np.float64]:
    return np.array([i.box for i in answer.instances if i.box]).reshape(-1, 4)


def union_mask(masks: Masks) -> Mask:
    """Returns the union of masks, (448, 448)."""
    return union_of(masks.masks, masks.height, masks.width)


def _picture(case: Case, answer: Answer, said: Mask) -> Image.Image:
    """Returns the image with boxes (yellow), masks (red) and truth (green outline), and the question above it."""
    rgb = case.rgb.astype(np.float32)
    rgb[said] = rgb[said] * 0.55 + np.array([255, 40, 40]) * 0.45
    truth = case.truth
    rim = truth.copy()
    rim[1:-1, 1:-1] &= ~(truth[:-2, 1:-1] & truth[2:, 1:-1] & truth[1:-1, :-2] & truth[1:-1, 2:])
    rgb[rim] = (60, 255, 60)
    picture = Image.new("RGB", (SIDE, SIDE + 34), "white")
    picture.paste(Image.fromarray(rgb.astype(np.uint8)), (0, 34))
    draw = ImageDraw.Draw(picture)
    draw.text((4, 2), case.question[:70], fill="black")
    draw.text((4, 17), f"{answer.thinking[:40]} {len(answer.instances)} found, {len(case.masks)} there", fill="black")
    for x1, y1, x2, y2 in _boxes(answer):
        draw.rectangle((x1, y1 + 34, x2, y2 + 34), outline="yellow")
    return picture


def _save_sheet(pictures: list[Image.Image], path: Path, columns: int = 4) -> None:
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + 8), rows * (height + 8)), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * (width + 8), index // columns * (height + 8)))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, help="a COCO file, in the folder of its tar; default: procedural scenes")
    parser.add_argument("--train", type=Path, help="the COCO file for the mean boxes; default: procedural scenes")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="seed of the questions")
    parser.add_argument("--prompter", default="nano")
    parser.add_argument("--segmenter", default="nano")
    parser.add_argument("--sheet", type=Path, help="image file for a contact sheet of all answers")
    options = parser.parse_args()
    models = Models(load_settings(prompter=options.prompter, segmenter=options.segmenter))
    seen = coco(options.train) if options.train else procedural(range(100))
    if options.coco:
        names = {row["name"] for row in json.loads(options.coco.read_text(encoding="utf-8"))["categories"]}
        images = coco(options.coco)
    else:
        names = set(CATEGORIES)
        images = procedural(range(FIRST_TEST_SEED, FIRST_TEST_SEED + options.count))
    known = frozenset(CATEGORIES.index(name) for name in names)
    asked = list(islice(images, options.count))
    run(list(cases(iter(asked), known, options.seed)), mean_boxes(seen), models, options.sheet)
    run_choices(list(choices(iter(asked))), models)
    run_relations(list(relations(iter(asked))), models)


if __name__ == "__main__":
    main()
