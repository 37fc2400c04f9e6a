"""The images, questions and truths that a run uses, from all its sources, by id; pixels are read when they are asked for."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evals.datasets import BrokenSample, Sample, Truth, open_dataset, split_by
from evals.protocols.grids import places, resized
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.scene import View
from training.recipe import Data, Source

UNTAUGHT = "untaught"  # the kind of question whose truth a dataset does not annotate
KEPT_BYTES = 256 * 2**20  # of Views and truths that are held
_PARTED_BY = ("stretch", "block", "source", "image_id")


@dataclass(frozen=True, slots=True)
class Question:
    """One question as a run asks it. `id` names the sample, `image_id` its image; both begin with the source's name."""

    id: str
    image_id: str
    question: str
    style: str
    source: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A source's samples: by image, in the order of their ids; `image_id` and the samples' own ids, without the source's name."""

    name: str
    weight: float
    images: Mapping[str, tuple[Sample, ...]]

    @property
    def samples(self) -> list[Sample]:
        """All samples, image by image."""
        return [sample for each in self.images.values() for sample in each]


class Pool:
    """Sources with their samples by id. Holds a listing, and at most `kept_bytes` of Views and truths that were used last."""

    def __init__(
        self, sources: Sequence[Listed], looking: Looking, *, left_out: Sequence[str] = (), kept_bytes: int = KEPT_BYTES
    ) -> None:
        self.sources = tuple(sources)
        self.looking = looking
        self.left_out = tuple(left_out)
        self._kept = _Kept(kept_bytes)

    @classmethod
    def open(cls, sources: Sequence[Source], data: Data, *, kept_bytes: int = KEPT_BYTES) -> "Pool":
        """Lists the sources; `argument_invalid` for one that cannot be trained on, by its name.

        Questions about what a dataset does not annotate (kind `untaught`) are left out: their truth is not known. Problems of a
        listing stop, or with `data.on_broken` "skip" are counted in `left_out`.
        """
        names = _names(sources)
        listed, left_out = [], []
        for name, source in zip(names, sources, strict=True):
            dataset = open_dataset(
                source.dataset, source.root, source.split, on_broken=data.on_broken, **dict(source.options)
            )
            left_out += [f"{name}: {problem}" for problem in dataset.problems]
            samples = [
                s for s in part_of(list(dataset.samples()), source) if s.metadata.get("question_kind") != UNTAUGHT
            ]
            _require_targets(name, samples)
            listed.append(Listed(name, source.weight, _by_image(samples)))
        return cls(listed, Looking.named(data.view), left_out=left_out, kept_bytes=kept_bytes)

    @cached_property
    def _by_id(self) -> dict[str, tuple[str, Sample]]:
        return {f"{each.name}/{sample.id}": (each.name, sample) for each in self.sources for sample in each.samples}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def ids(self) -> list[str]:
        """The ids of all questions, sorted."""
        return sorted(self._by_id)

    def without(self, ids: Iterable[str]) -> "Pool":
        """The pool without some questions: those that cannot be read."""
        out = set(ids)
        sources = []
        for each in self.sources:
            kept = [sample for sample in each.samples if f"{each.name}/{sample.id}" not in out]
            _require_targets(each.name, kept)
            sources.append(replace(each, images=_by_image(kept)))
        return Pool(sources, self.looking, left_out=(*self.left_out, *sorted(out)), kept_bytes=self._kept.most)

    def sample(self, id_: str) -> Sample:
        """The sample of evals that a question is; `argument_invalid` where there is none."""
        return self._found(id_)[1]

    def image_id(self, id_: str) -> str:
        """The image of a question: the same for all questions of an image, and not shared between sources."""
        source, sample = self._found(id_)
        return f"{source}/{sample.image_id}"

    def asked(self, id_: str, style: str) -> Question:
        """A question by its id, as it is asked in a prompt style."""
        source, sample = self._found(id_)
        return Question(id_, f"{source}/{sample.image_id}", sample.question, style, source)

    def view(self, id_: str) -> View:
        """The View of a question's image, as both models are shown it. BrokenSample where it cannot be read."""
        return self._shown(id_)[0]

    def truth(self, id_: str) -> Truth:
        """What is right, in View pixels (by the nearest pixel). BrokenSample where it cannot be read or is not known."""
        found = self._kept.get(("truth", id_))
        if isinstance(found, Truth):
            return found
        view, size = self._shown(id_)
        own = self.sample(id_).read_truth()
        if own.mask.shape != size:
            raise BrokenSample("broken", id_, f"its truth is {own.mask.shape} px, its image {size} (height, width)")
        if not own.known:
            raise BrokenSample("broken", id_, "its truth is not known: it cannot be trained on")
        truth = truth_in_view(own, view.height, view.width)
        self._kept.put(("truth", id_), truth, _truth_bytes(truth))
        return truth

    def _found(self, id_: str) -> tuple[str, Sample]:
        if id_ not in self._by_id:
            raise T2SError("argument_invalid", f"no question has the id {id_}", "Ids are those of the run's own data")
        return self._by_id[id_]

    def _shown(self, id_: str) -> tuple[View, tuple[int, int]]:
        """The View, and the image's own height and width."""
        key = ("view", self.image_id(id_))
        found = self._kept.get(key)
        if found is None:
            image = self.sample(id_).read_image()
            view = self.looking.view(image)
            found = view, image.shape[:2]
            self._kept.put(key, found, view.rgb.nbytes + view.valid.nbytes)
        return found  # type: ignore[return-value]  # the key says what is kept under it


class _Kept:
    """Values up to a number of bytes; those that were not used for longest go first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._bytes = 0
        self._values: OrderedDict[tuple[str, str], tuple[object, int]] = OrderedDict()

    def get(self, key: tuple[str, str]) -> object | None:
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: tuple[str, str], value: object, size: int) -> None:
        if size > self.most:
            return
        self._values[key] = value, size
        self._bytes += size
        while self._bytes > self.most:
            self._bytes -= self._values.popitem(last=False)[1][1]


def truth_in_view(truth: Truth, height: int, width: int) -> Truth:
    """A truth in an image's own pixels as one in those of a View (height, width). Objects that lose all pixels are left out."""
    if truth.mask.shape == (height, width):
        return truth
    rows, columns = places(truth.mask.shape[0], height), places(truth.mask.shape[1], width)
    return replace(
        truth,
        mask=resized(truth.mask, height, width),
        instances=None
        if truth.instances is None
        else tuple(moved for each in truth.instances if (moved := _resized_mask(each, rows, columns))),
        ignore=None if truth.ignore is None else resized(truth.ignore, height, width),
    )


def _resized_mask(mask: Mask, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Mask:
    """A mask where each new row and column takes the pixels of one old one; only the mask's own box is looked at."""
    x1, y1, x2, y2 = mask.bounds
    y, x = np.flatnonzero((rows >= y1) & (rows < y2)), np.flatnonzero((columns >= x1) & (columns < x2))
    if not len(y) or not len(x):
        return Mask.of(np.zeros((0, 0), bool))
    return Mask.of(mask.pixels[np.ix_(rows[y] - y1, columns[x] - x1)], int(x[0]), int(y[0]))


def _truth_bytes(truth: Truth) -> int:
    arrays = [truth.mask, *(each.pixels for each in truth.instances or ())]
    return sum(each.nbytes for each in arrays) + (0 if truth.ignore is None else truth.ignore.nbytes)


def _names(sources: Sequence[Source]) -> list[str]:
    """A name for each source: its dataset's, with a number where it occurs again."""
    names: list[str] = []
    for source in sources:
        same = sum(each.dataset == source.dataset for each in sources[: len(names)])
        names.append(f"{source.dataset}-{same + 1}" if same else source.dataset)
    return names


def part_of(samples: list[Sample], source: Source) -> list[Sample]:
    """Returns the samples of the source's part, in their order."""
    if source.part == "all":
        return samples
    key = source.part_by or next(
        key for key in _PARTED_BY if key == "image_id" or all(key in s.metadata for s in samples)
    )
    shares = {"train": 1 - source.validation_share, "validation": source.validation_share}
    return split_by(samples, shares, key=key)[source.part]


def _by_image(samples: Iterable[Sample]) -> dict[str, tuple[Sample, ...]]:
    """Samples by image, images and samples sorted by id: the order of files and listings does not matter."""
    found: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: (sample.image_id, sample.id)):
        found.setdefault(sample.image_id, []).append(sample)
    return {image: tuple(each) for image, each in found.items()}


def _require_targets(name: str, samples: Sequence[Sample]) -> None:
    """Refuses a source without a single mask: it has nothing to learn a target from."""
    if any(_has_target(sample) for sample in samples):
        return
    what = "has no mask that fits any question" if samples else "has no question with a known truth"
    fix = "Choose another split, or a dataset with masks: `python -m evals.datasets` lists them"
    raise T2SError("argument_invalid", f"source {name} {what}: it cannot be trained on", fix)


def _has_target(sample: Sample) -> bool:
    """Whether something is to be found; the truth is read only where the listing does not say it."""
    objects = sample.metadata.get("objects")
    if isinstance(objects, int | float):
        return objects > 0
    try:
        return bool(sample.read_truth().mask.any())
    except BrokenSample:
        return False  # named when it is used
