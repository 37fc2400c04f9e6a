"""A protocol: which questions are asked, at which pixels masks are compared, and how rows become numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals.metrics.overlap import Overlap, iou
from evals.metrics.row import Row
from evals.protocols.grids import ORIGINAL, Grid

Parts = dict[str, tuple[list[float], list[float]]]  # by metric: what each row adds above and below


@dataclass(frozen=True, slots=True)
class Protocol:
    """One published way of scoring. `source` says where it was read, and what of it is not known.

    questions: `all`; `first` of each item; `draw` one of each item at random, `draws` times (mean and spread over them).
    grid: the pixels at which masks are compared.
    both_empty, epsilon: IoU where neither mask has a pixel; what is added to the union of one sample.
    unparsable: `wrong` has IoU 0 also where the truth is empty; `empty` counts it as an empty mask.
    emptiness: whether "no target" is decided by the predicted `mask` or by the `answer` (its instances).
    false_positives_in_union: whether pixels predicted where the truth is empty enter the union of cIoU.
    thresholds, strict: the k of P@k, and whether the test is IoU > k (True) or IoU >= k.
    precision_over: P@k is a share of `all` samples, of those whose answer was `parsed`, or of those with a `target`.
    accuracies: whether N-acc and T-acc are part of it.
    """

    name: str
    source: str
    questions: Literal["all", "first", "draw"] = "all"
    draws: int = 1
    grid: Grid = ORIGINAL
    both_empty: float = 1.0
    epsilon: float = 0.0
    unparsable: Literal["wrong", "empty"] = "empty"
    emptiness: Literal["mask", "answer"] = "mask"
    false_positives_in_union: bool = True
    thresholds: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9)
    strict: bool = False
    precision_over: Literal["all", "parsed", "target"] = "all"
    accuracies: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of its numbers, in their order."""
        accuracies = ("N-acc", "T-acc") if self.accuracies else ()
        return ("gIoU", "cIoU", *(f"P@{k:g}" for k in self.thresholds), *accuracies)

    def parts(self, rows: Sequence[Row]) -> Parts:
        """What each row adds to the numerator and the denominator of each metric; nothing where the truth is not known."""
        found: Parts = {name: ([], []) for name in self.metrics}
        for row in rows:
            if not row.known:
                for sums in found.values():
                    _add(sums, 0, 0)
                continue
            overlap = row.grids[self.grid.name].answer
            value = self.iou(row)
            _add(found["gIoU"], value, 1)
            _add(found["cIoU"], *self._areas(overlap))
            counted = {"all": True, "parsed": row.status != "unparsable", "target": overlap.truth > 0}
            for k in self.thresholds:
                hit = value > k if self.strict else value >= k
                share = counted[self.precision_over]
                _add(found[f"P@{k:g}"], hit and share, share)
            if self.accuracies:
                none, absent = self._says_none(row, overlap), overlap.truth == 0
                _add(found["N-acc"], none and absent, absent)
                _add(found["T-acc"], not none and not absent, not absent)
        return found

    def iou(self, row: Row) -> float:
        """One sample's IoU as this protocol counts it."""
        overlap = row.grids[self.grid.name].answer
        if self.unparsable == "wrong" and row.status == "unparsable":
            return 0.0
        if self.emptiness == "answer" and overlap.truth == 0:
            return float(self._says_none(row, overlap))
        return iou(overlap, both_empty=self.both_empty, epsilon=self.epsilon)

    def _areas(self, overlap: Overlap) -> tuple[int, int]:
        """Intersection and union of one sample, as cIoU sums them."""
        if overlap.truth == 0 and not self.false_positives_in_union:
            return 0, 0
        return overlap.intersection, overlap.union

    def _says_none(self, row: Row, overlap: Overlap) -> bool:
        return overlap.predicted == 0 if self.emptiness == "mask" else row.instances == 0


def _add(sums: tuple[list[float], list[float]], above: float, below: float) -> None:
    sums[0].append(float(above))
    sums[1].append(float(below))
