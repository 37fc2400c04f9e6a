"""Procedural scenes (evals/scenes): drawn from a seed, so nothing is on disk and the truth is exact.

nano was trained on seeds from 0 on; the splits use others. Every scene is asked the same number of questions: two about what is
there (fewer where less is), one about what is not, one about what nano was not taught: nothing of that kind is ever drawn.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from evals.datasets.bank import Bank, Question, identity, item_of
from evals.datasets.dataset import Card, Dataset
from evals.datasets.sample import Image, Labelled, Sample, Truth
from evals.questions import CATEGORIES
from evals.scenes import LAND, SceneTruth, draw
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask, union_of

FIRST_SEED = {"train": 0, "test": 10_000_000, "calibration": 20_000_000, "validation": 30_000_000}
THINGS = tuple(category for category in CATEGORIES if category not in ("water", "vegetation", "road", "bare land"))
ASKED = 4  # questions a scene
MOST = 1_000_000  # scenes: the splits' seeds do not meet
_KEPT = 4  # drawn scenes that are held, so that image and truth are drawn once


class Procedural(Dataset):
    """`count` scenes of `size` px. Land (water, vegetation, road, bare land) is not asked for: its borders are a matter of opinion."""

    name = "procedural"
    card = Card(
        title="Procedural scenes of this repository",
        citation="evals/scenes in this repository",
        licence="Apache-2.0, as this repository",
        notes=("any number of scenes can be drawn, so no count is expected", "masks are exact for the drawn pixels"),
    )

    def __init__(self, split: str = "test", *, count: int = 100, size: int = 448, bank: Bank | None = None) -> None:
        if not isinstance(count, int) or not isinstance(size, int):
            raise T2SError("argument_invalid", f"count {count!r} and size {size!r}", "Give whole numbers")
        if split not in FIRST_SEED or not 0 < count <= MOST or not 64 <= size <= 1024:
            fix = f"Splits: {', '.join(FIRST_SEED)}; at most {MOST} scenes of 64 to 1024 px"
            raise T2SError("argument_invalid", f"no split {split} of {count} scenes of {size} px", fix)
        super().__init__(split)
        self.seeds = range(FIRST_SEED[split], FIRST_SEED[split] + count)
        self.size = size
        self.bank = bank or Bank(kinds=("name", "hint", "empty", "untaught"), absent=len(THINGS))
        self.images = count

    def __len__(self) -> int:
        return len(self.seeds) * ASKED

    def samples(self) -> Iterator[Sample]:
        for seed in self.seeds:
            yield from self._of(seed)

    def _of(self, seed: int) -> Iterator[Sample]:
        scene = drawn(seed, self.size)
        boxes: dict[str, list[list[float]]] = {}
        for thing in scene.objects:
            (y, x), (height, width) = thing.offset, thing.mask.shape
            boxes.setdefault(thing.category, []).append([x, y, x + width, y + height])
        for number, question in enumerate(self._chosen(seed, {name: np.array(each) for name, each in boxes.items()})):
            areas = [int(thing.mask.sum()) for thing in scene.objects if thing.category == question.category]
            facts: dict[str, str | float] = {
                "split": self.split,
                "category": question.category,
                "question_kind": question.kind,
                "phrasing": question.phrasing,
                "objects": len(areas),
                "gsd_m": scene.gsd_m,
                "theme": scene.theme,
                "source": f"scene {seed}",
            }
            if question.which:
                facts["which"] = question.which
            if areas:
                facts["median_area_px"] = float(np.median(areas))
            yield Sample(
                id=identity(f"scene_{seed}", number, question),
                image_id=f"scene_{seed}",
                question=question.text,
                read_image=partial(_read_image, seed, self.size),
                read_truth=partial(_read_truth, seed, self.size, question.category),
                metadata=facts | item_of(f"scene_{seed}", number, question),
            )

    def _chosen(self, seed: int, boxes: Mapping[str, NDArray[np.float64]]) -> list[Question]:
        """Two questions about what is there (fewer where less is), then about what is not, and one that was not taught."""
        questions = list(self.bank.ask(f"scene_{seed}", THINGS, boxes, (self.size, self.size)))
        rng = np.random.default_rng([self.bank.seed, seed])
        there = [question for question in questions if question.wanted]
        there = [there[index] for index in rng.permutation(len(there))]
        absent = [question for question in questions if question.kind == "empty"]
        untaught = [question for question in questions if question.kind == "untaught"]
        chosen = [*there[:2], *absent, *there[2:]]
        return [*chosen[: ASKED - len(untaught[:1])], *untaught[:1]]


def scenes(seeds: Iterable[int], size: int) -> Iterator[Labelled]:
    """Scenes with all their objects and kinds of land, drawn one by one."""
    for seed in seeds:
        scene = drawn(seed, size)
        objects = ((thing.category, Mask.of(thing.mask, thing.offset[1], thing.offset[0])) for thing in scene.objects)
        land = ((name, scene.land_mask(name)) for name in LAND)
        yield Labelled(f"scene_{seed}", scene.rgb.copy(), tuple(objects), tuple(each for each in land if each[1].any()))


@lru_cache(maxsize=_KEPT)
def drawn(seed: int, size: int) -> SceneTruth:
    """A scene; the last few are kept, so that image and truth of a sample are drawn once."""
    return draw(seed, size=size)


def _read_image(seed: int, size: int) -> Image:
    return drawn(seed, size).rgb.copy()


def _read_truth(seed: int, size: int, category: str) -> Truth:
    things = (thing for thing in drawn(seed, size).objects if thing.category == category)
    masks = tuple(Mask.of(thing.mask, thing.offset[1], thing.offset[0]) for thing in things)
    return Truth(union_of(masks, size, size), masks)
