"""One question about one image, with its truth: what every dataset gives and every protocol scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from t2s_agent.mask import Mask

Image = NDArray[np.uint8]  # (H, W, 3), RGB
TruthMask = NDArray[np.bool_]  # (H, W), in the pixels of the image


@dataclass(frozen=True, slots=True)
class Truth:
    """What is right. `mask` (H, W) bool; all False means that nothing fits the question.

    `instances` are the objects one by one, where the dataset knows them: their union is `mask`. None where it does not.
    `ignore` (H, W) bool: pixels that the dataset leaves open (unlabelled ones); a protocol that counts pixels leaves them out.
    `known` is False where the dataset does not annotate what is asked for: then `mask` is empty and says nothing about the
    image, and only whether the question was refused may be scored.
    """

    mask: TruthMask
    instances: tuple[Mask, ...] | None = None
    ignore: TruthMask | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class Labelled:
    """An image with all that is annotated in it, for uses other than questions: training, baselines.

    `objects` are category and mask, in the order of the listing; `land` (category and mask (H, W)) is what the ground is of.
    """

    image_id: str
    image: Image
    objects: tuple[tuple[str, Mask], ...] = ()
    land: tuple[tuple[str, TruthMask], ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A question about an image. Image and truth are read when they are called for, so a list of samples is small.

    `id` is unique in its dataset and the same on every machine. `image_id` names the image: samples that share it are not
    independent, so intervals are drawn over images (or over `metadata["source"]`, where crops of one scene are given).
    `metadata` may hold `item`, what is asked about (samples of one item differ only in the wording, and protocols that ask one
    question of each item choose among them; where it is missing each sample is its own), `question_index`, the wording's place
    among them from 0, and `split`, `category`, `gsd_m`, `source`, `question_kind` and others (docs/reference/datasets.md lists them):
    scores are given by slices of them.
    """

    id: str
    image_id: str
    question: str
    read_image: Callable[[], Image]
    read_truth: Callable[[], Truth]
    metadata: Mapping[str, str | float] = field(default_factory=dict)
