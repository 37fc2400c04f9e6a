"""Which regions of a new result are regions of its parent, unchanged."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2s_agent.regions.region import RegionSet, Source


def unchanged_ids(before: NDArray[Any], after: NDArray[Any]) -> dict[int, int]:
    """Ids in `after` with the ids in `before` of those regions that have exactly the same pixels.

    Both arrays are whole numbers (H, W) on one grid: the id of the region at each pixel, 0 for none.
    """
    sizes_old, sizes_new = (np.bincount(labels[labels > 0]) for labels in (before, after))
    both = (before > 0) & (after > 0)
    old, new = before[both].astype(np.int64), after[both].astype(np.int64)
    pairs, shared = np.unique(new * len(sizes_old) + old, return_counts=True)
    ids_new, ids_old = np.divmod(pairs, len(sizes_old))
    same = (shared == sizes_new[ids_new]) & (shared == sizes_old[ids_old])
    return {int(n): int(o) for n, o in zip(ids_new[same], ids_old[same], strict=True)}


def of_parent(regions: RegionSet, parent: str) -> RegionSet:
    """The regions of a result as sources of another: each names itself as where it comes from."""
    return replace(
        regions, regions=tuple(replace(each, sources=(Source(parent, each.id),), was=None) for each in regions.regions)
    )


def with_parents(regions: RegionSet, before: RegionSet, parent: str) -> RegionSet:
    """The regions of a result, each with what is known of it from its parent.

    `was` is its id there where its pixels are the same; then it comes from there, whoever drew it. Masks that overlapped when
    the parent's regions were built still did.
    """
    was = unchanged_ids(before.labels, regions.labels)
    found = []
    now: dict[int, list[int]] = {}  # by id in the parent
    for region in regions.regions:
        sources = [source for source in region.sources if source.result]
        if region.id in was and not sources:
            sources.append(Source(parent, was[region.id]))
        for source in sources:
            if source.result == parent:
                now.setdefault(source.id, []).append(region.id)
        found.append(replace(region, was=was.get(region.id), sources=tuple(sources)))
    overlaps: dict[int, set[int]] = {}
    for region in before.regions:
        for id_ in now.get(region.id, ()) if region.overlaps else ():
            overlaps.setdefault(id_, set()).update({new for old in region.overlaps for new in now.get(old, ())} - {id_})
    return replace(
        regions,
        regions=tuple(
            replace(each, overlaps=tuple(sorted({*each.overlaps, *overlaps.get(each.id, ())}))) for each in found
        ),
    )
