"""Measures nano's prompter and segmenter together, as the product runs them, beside what needs no model at all.

    python -m training.nano.evaluate --coco ../shared/data/isaid448/test.json --count 200
    python -m training.nano.evaluate --count 200
    python -m training.nano.evaluate --count 20 --pictures docs/nano

Without `--coco` on procedural scenes that no training saw. One question an image in a phrasing that was held out; one in four
asks for a category that is not there. cIoU is the sum of intersections over the sum of unions, false positives counted; gIoU the
mean over images, 1 where nothing is there and nothing was found.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from t2s_agent.models import Models
from t2s_agent.prompting.answer import Answer
from t2s_agent.scene import Georeference, View, Window
from t2s_agent.settings import load_settings
from training.nano.codes import SIDE
from training.nano.pack import Labelled, coco, numbers_of, procedural
from training.nano.questions import CATEGORIES, pick

FIRST_TEST_SEED = 10_000_000
LARGEST = 6  # instances an image of the ceiling, as in the published ceiling's figures

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """One question about one image: what it asks for, and the masks of all objects that answer it (none: absent)."""

    rgb: NDArray[np.uint8]
    category: int
    question: str
    masks: tuple[Mask, ...]

    @property
    def truth(self) -> Mask:
        """The union of the masks."""
        return np.any(self.masks, axis=0) if self.masks else np.zeros((SIDE, SIDE), bool)

    @property
    def view(self) -> View:
        """The image as a View without a place on Earth."""
        valid = np.ones((SIDE, SIDE), bool)
        return View(self.rgb, valid, Georeference(), Window(0, 0, SIDE, SIDE), None, (1, 2, 3))


def cases(images: Iterator[Labelled], seed: int = 0) -> Iterator[Case]:
    """One question an image, absent in one of four, in a held-out phrasing."""
    rng = np.random.default_rng(seed)
    for labelled in images:
        present = sorted({category for category, _ in labelled.objects})
        absent = [c for c in range(len(CATEGORIES) - 4) if c not in present]  # of land nothing is known here
        category = int(rng.choice(absent if not present or rng.random() < 0.25 else present))
        masks = tuple(mask for kind, mask in labelled.objects if kind == category)
        yield Case(labelled.rgb, category, pick(CATEGORIES[category], rng, held_out=True), masks)


class Score:
    """Sums over cases: cIoU, gIoU, how often something was found where nothing is."""

    def __init__(self) -> None:
        self.inside = self.union = 0
        self.overlaps: list[float] = []
        self.false_positives: list[bool] = []

    def add(self, said: Mask, truth: Mask) -> None:
        inside, union = int((said & truth).sum()), int((said | truth).sum())
        self.inside, self.union = self.inside + inside, self.union + union
        self.overlaps.append(inside / union if union else 1.0)
        if not truth.any():
            self.false_positives.append(bool(said.any()))

    def line(self, name: str) -> str:
        wrong = f"{np.mean(self.false_positives):7.2f}" if self.false_positives else "      -"
        return f"{name:34s}{self.inside / max(self.union, 1):8.3f}{np.mean(self.overlaps):8.3f}{wrong}{len(self.overlaps):6d}"


def filled(boxes: NDArray[np.float64]) -> Mask:
    """The union of boxes (N, 4) in pixels."""
    mask = np.zeros((SIDE, SIDE), bool)
    for x1, y1, x2, y2 in boxes:
        mask[round(y1) : round(y2), round(x1) : round(x2)] = True
    return mask


def mean_boxes(images: Iterator[Labelled]) -> NDArray[np.float64]:
    """The mean box of each category's largest object an image, (24, 4) in pixels; what knows classes but sees nothing would say."""
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
    """Boxes and two points from the truth, of the largest objects."""
    prompts = []
    for mask in sorted(case.masks, key=lambda m: -int(m.sum()))[:LARGEST]:
        x1, y1, x2, y2, ax, ay, bx, by = (n * SIDE / 1000 for n in numbers_of(mask))
        prompts.append(Instance((x1, y1, x2, y2), ((ax, ay), (bx, by))))
    return prompts


def run(chosen: list[Case], boxes: NDArray[np.float64], models: Models, pictures: Path | None = None) -> None:
    """Asks nano each question and prints the table."""
    prompter, segmenter = models.prompter(), models.segmenter()
    scores: dict[str, Score] = {}
    by_category: dict[str, Score] = {}
    named, found_parsable, seconds = [], [], []

    def score(name: str, said: Mask, case: Case) -> None:
        scores.setdefault(name, Score()).add(said, case.truth)
        if not case.masks:
            return
        scores.setdefault(f"{name}, present only", Score()).add(said, case.truth)

    blind: dict[str, Callable[[Case], Mask]] = {
        "whole image": lambda _: np.ones((SIDE, SIDE), bool),
        "middle quarter": lambda _: filled(np.array([[SIDE / 4, SIDE / 4, SIDE * 3 / 4, SIDE * 3 / 4]])),
        "category's mean box": lambda case: filled(boxes[case.category : case.category + 1]),
        "always nothing": lambda _: np.zeros((SIDE, SIDE), bool),
    }
    for index, case in enumerate(chosen):
        answer = prompter.answer([case.view], [case.question])[0]
        seconds.append(answer.seconds)
        found_parsable.append(answer.status != "unparsable")
        named.append(CATEGORIES[case.category] in answer.thinking)
        embedding = segmenter.embed([case.view])[0]
        said = _drawn(segmenter.decode(embedding, answer.instances).masks)
        score("nano", said, case)
        score("nano, boxes filled", filled(_boxes(answer)), case)
        for name, draw in blind.items():
            score(name, draw(case), case)
        ceiling = true_prompts(case)
        score("true prompts, nano's masks", _drawn(segmenter.decode(embedding, ceiling).masks), case)
        score("true boxes filled", filled(_boxes(replace(answer, instances=tuple(ceiling)))), case)
        by_category.setdefault(CATEGORIES[case.category], Score()).add(said, case.truth)
        if pictures:
            _picture(case, answer, said, pictures / f"{index:02d}.png")
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


def _drawn(masks: Mask) -> Mask:
    return np.any(masks, axis=0) if len(masks) else np.zeros((SIDE, SIDE), bool)


def _picture(case: Case, answer: Answer, said: Mask, path: Path) -> None:
    """Question above; in the picture boxes (yellow), masks (red) and truth (green outline)."""
    from PIL import Image, ImageDraw

    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = case.rgb.astype(np.float32)
    rgb[said] = rgb[said] * 0.55 + np.array([255, 40, 40]) * 0.45
    truth = case.truth
    inner = truth.copy()
    inner[1:-1, 1:-1] &= truth[:-2, 1:-1] & truth[2:, 1:-1] & truth[1:-1, :-2] & truth[1:-1, 2:]
    inner[1:-1, 1:-1] = truth[1:-1, 1:-1] & ~(truth[:-2, 1:-1] & truth[2:, 1:-1] & truth[1:-1, :-2] & truth[1:-1, 2:])
    rgb[inner] = (60, 255, 60)
    picture = Image.new("RGB", (SIDE, SIDE + 34), "white")
    picture.paste(Image.fromarray(rgb.astype(np.uint8)), (0, 34))
    draw = ImageDraw.Draw(picture)
    draw.text((4, 2), case.question[:70], fill="black")
    draw.text((4, 17), f"{answer.thinking[:40]} {len(answer.instances)} found, {len(case.masks)} there", fill="black")
    for x1, y1, x2, y2 in _boxes(answer):
        draw.rectangle((x1, y1 + 34, x2, y2 + 34), outline="yellow")
    picture.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, help="a COCO file beside its tar; procedural scenes without")
    parser.add_argument("--train", type=Path, help="the COCO file that mean boxes come from; procedural scenes without")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the questions")
    parser.add_argument("--prompter", default="nano")
    parser.add_argument("--segmenter", default="nano")
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of each answer")
    options = parser.parse_args()
    models = Models(load_settings(prompter=options.prompter, segmenter=options.segmenter))
    seen = coco(options.train) if options.train else procedural(range(300))
    asked = coco(options.coco) if options.coco else procedural(range(FIRST_TEST_SEED, FIRST_TEST_SEED + options.count))
    run(list(islice(cases(asked, options.seed), options.count)), mean_boxes(seen), models, options.pictures)


if __name__ == "__main__":
    main()
