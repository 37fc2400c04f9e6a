"""Published numbers, each with the protocol it was measured under and where it was read. What was not found is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_ABSTRACT = "arXiv 2512.19302 v2, abstract"


@dataclass(frozen=True, slots=True)
class Published:
    """One method's numbers on a split, in 0..1, under a protocol of `evals.protocols`."""

    method: str
    dataset: str
    split: str
    protocol: str
    metrics: Mapping[str, float]
    source: str
    notes: tuple[str, ...] = field(default=())


PUBLISHED = (
    Published(
        "Think2Seg-RS",
        "earthreason",
        "test",
        "think2seg",
        {"gIoU": 0.7336, "cIoU": 0.7560},
        _ABSTRACT,
        ("the abstract does not say which size; one draw of the questions",),
    ),
    Published(
        "strongest other method of that paper, metric by metric",
        "earthreason",
        "test",
        "think2seg",
        {"gIoU": 0.7096, "cIoU": 0.6913},
        f"{_ABSTRACT}: 73.36 less 2.40, 75.60 less 6.47",
        ("which method holds which number is not stated there, nor under which protocol it was measured",),
    ),
)


def published(dataset: str, split: str, protocol: str) -> tuple[Published, ...]:
    """What is known for a dataset's split under a protocol."""
    return tuple(p for p in PUBLISHED if (p.dataset, p.split, p.protocol) == (dataset, split, protocol))
