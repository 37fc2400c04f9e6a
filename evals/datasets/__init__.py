"""Datasets with truth: each gives `Sample`s, in a fixed order, read from disk one by one.

open_dataset("isaid448", "../shared/data/isaid448", "test")
python -m evals.datasets                               the datasets, with licence and layout
python -m evals.datasets check ROOT --dataset NAME     what is missing, broken or doubled in a copy
"""

from evals.datasets.bank import Bank
from evals.datasets.dataset import Card, Dataset, Expected
from evals.datasets.problems import BrokenDataset, BrokenSample, Problem
from evals.datasets.reading import Read, Reading
from evals.datasets.registry import DATASETS, open_dataset
from evals.datasets.sample import Image, Sample, Truth, TruthMask
from evals.datasets.splits import split_by

__all__ = [
    "DATASETS",
    "Bank",
    "BrokenDataset",
    "BrokenSample",
    "Card",
    "Dataset",
    "Expected",
    "Image",
    "Problem",
    "Read",
    "Reading",
    "Sample",
    "Truth",
    "TruthMask",
    "open_dataset",
    "split_by",
]
