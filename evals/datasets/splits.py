"""Parts of a dataset that share no image: halves for calibration and report, train and validation."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import accumulate

from evals.datasets.sample import Sample
from t2s_agent.errors import T2SError


def split_by(
    samples: Iterable[Sample], shares: Mapping[str, float], *, key: str = "source", seed: int = 0
) -> dict[str, list[Sample]]:
    """The samples of each part, in their order. All samples with one value of `metadata[key]` go to the same part.

    `key` may be "image_id", or any entry of the metadata: "source" for iSAID's tiles, "block" for its blocks of tiles. Values are
    ordered by a hash of the seed and the value, and cut where the shares say, so parts differ from their shares by less than one
    value; which part a value belongs to depends on the seed and on the set of values, not on the samples' number or order. So
    all parts are cut from the whole dataset in one call.
    """
    if not shares or any(not share > 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-9:
        raise T2SError(
            "argument_invalid", f"shares {dict(shares)} do not add up to 1", "For example half=0.5, other=0.5"
        )
    samples = list(samples)
    of_sample = [_value(sample, key) for sample in samples]
    part_of = parts_of_values(of_sample, shares, seed=seed)
    parts: dict[str, list[Sample]] = {name: [] for name in shares}
    for sample, value in zip(samples, of_sample, strict=True):
        parts[part_of[value]].append(sample)
    return parts


def parts_of_values(values: Iterable[str], shares: Mapping[str, float], *, seed: int = 0) -> dict[str, str]:
    """The part of each value, as `split_by` cuts them."""
    ordered = sorted(set(values), key=lambda value: hashlib.sha256(f"{seed}|{value}".encode()).digest())
    edges = [round(edge * len(ordered)) for edge in accumulate(shares.values())]
    part_of: dict[str, str] = {}
    for name, start, end in zip(shares, [0, *edges], edges, strict=False):
        part_of |= dict.fromkeys(ordered[start:end], name)
    return part_of


def _value(sample: Sample, key: str) -> str:
    value = sample.image_id if key == "image_id" else sample.metadata.get(key)
    if value is None:
        raise T2SError(
            "argument_invalid", f"sample {sample.id} has no {key}", "Split by image_id, or by metadata that all have"
        )
    return str(value)
