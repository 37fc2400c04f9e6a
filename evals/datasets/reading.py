"""Reads samples one after the other, and says how many of how many could be read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evals.datasets.dataset import Dataset
from evals.datasets.problems import BrokenSample, OnBroken, Problem
from evals.datasets.sample import Image, Sample, Truth


@dataclass(frozen=True, slots=True)
class Read:
    """A sample with its pixels in memory."""

    sample: Sample
    image: Image
    truth: Truth


def read(sample: Sample) -> Read:
    """A sample's pixels; BrokenSample where they cannot be read, or where image and truth have different sizes."""
    image, truth = sample.read_image(), sample.read_truth()
    if truth.mask.shape != image.shape[:2]:
        what = f"its truth is {truth.mask.shape} px, its image {image.shape[:2]} (height, width)"
        raise BrokenSample("broken", sample.id, what)
    return Read(sample, image, truth)


class Reading:
    """Iterates over the samples of a dataset (or over `only` some of them) with their pixels, one in memory at a time.

    With `on_broken="stop"` the first broken sample raises `BrokenSample`; with "skip" it is noted in `problems` and left out.
    """

    def __init__(self, dataset: Dataset, on_broken: OnBroken = "stop", only: Iterable[Sample] | None = None) -> None:
        self._samples = dataset.samples() if only is None else only
        self._on_broken = on_broken
        self.problems: list[Problem] = [] if only is not None else list(dataset.problems)
        self.read = self.left_out = 0

    def __iter__(self) -> Iterator[Read]:
        for sample in self._samples:
            try:
                found = read(sample)
            except BrokenSample as error:
                if self._on_broken == "stop":
                    raise
                self.problems.append(error.problem)
                self.left_out += 1
                continue
            self.read += 1
            yield found

    def summary(self) -> str:
        """For example "1,926 of 1,928 samples; 2 problems"."""
        total = self.read + self.left_out
        return f"{self.read:,} of {total:,} samples; {len(self.problems)} problems"
