"""Which regions of a new result are regions of its parent, unchanged."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2s_agent.regions.region import RegionSet


def unchanged_ids(before: NDArray[Any], after: NDArray[Any]) -> dict[int, int]:
    """Ids in `after` with the ids in `before` of those regions that have exactly the same pixels.

    Both arrays are whole numbers (H, W) on one grid: the id of the region at each pixel, 0 for none.
    """
    old, new = before.ravel().astype(np.int64), after.ravel().astype(np.int64)
    sizes_old, sizes_new = np.bincount(old), np.bincount(new)
    both = (old > 0) & (new > 0)
    pairs, shared = np.unique(new[both] * len(sizes_old) + old[both], return_counts=True)
    ids_new, ids_old = np.divmod(pairs, len(sizes_old))
    same = (shared == sizes_new[ids_new]) & (shared == sizes_old[ids_old])
    return {int(n): int(o) for n, o in zip(ids_new[same], ids_old[same], strict=True)}


def with_parents_ids(regions: RegionSet, was: Mapping[int, int]) -> RegionSet:
    """The regions, each with the id that it has in the parent where it is unchanged, else None."""
    return replace(regions, regions=tuple(replace(each, was=was.get(each.id)) for each in regions.regions))
