"""What is measured of an answer: per-sample facts, and ratios of sums with clustered intervals."""

from evals.metrics.overlap import Overlap, iou, overlap_of
from evals.metrics.ratios import Comparison, Interval, Ratios, compare
from evals.metrics.row import BASELINES, GridFacts, Row

__all__ = [
    "BASELINES",
    "Comparison",
    "GridFacts",
    "Interval",
    "Overlap",
    "Ratios",
    "Row",
    "compare",
    "iou",
    "overlap_of",
]
