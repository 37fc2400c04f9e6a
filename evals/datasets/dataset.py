"""What all datasets share: the card of facts about one, its samples, and the problems that were found while it was listed."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from evals.datasets.files import Files
from evals.datasets.problems import Kind, Problem
from evals.datasets.sample import Sample


@dataclass(frozen=True, slots=True)
class Expected:
    """Published numbers of a split; None where none is known."""

    samples: int | None = None
    images: int | None = None
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Facts about a dataset that its files do not hold. What nobody states says "not stated"."""

    title: str
    citation: str
    licence: str
    expected: Mapping[str, Expected] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Dataset(ABC):
    """A split of a dataset. A subclass lists its files when it is made and reads pixels only when a sample is asked for them.

    `problems` are those of the listing; the samples that they concern are not among `samples()`.
    `images` and `instances` are the numbers of images and of annotated objects that were listed, None where this is not known.
    """

    name: ClassVar[str]
    card: ClassVar[Card]

    def __init__(self, split: str) -> None:
        self.split = split
        self.problems: list[Problem] = []
        self.images: int | None = None
        self.instances: int | None = None

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """All samples, always in the same order."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples that `samples` gives."""

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        """The splits that a folder seems to hold; none where it is not laid out as this dataset is."""
        del root
        return []

    def pictures(self) -> Iterator[tuple[Files, str]]:
        """Where the images' files are, for a look at them as files; none where images are not files."""
        return iter(())

    @property
    def citation(self) -> str:
        return self.card.citation

    @property
    def licence(self) -> str:
        return self.card.licence

    @property
    def expected(self) -> Expected:
        """The published numbers of this split."""
        return self.card.expected.get(self.split, Expected())

    def report(self, kind: Kind, where: object, what: str) -> None:
        """Notes a problem of the listing."""
        self.problems.append(Problem(kind, str(where), what))
