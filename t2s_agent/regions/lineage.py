"""Finds the regions of a new result that are unchanged regions of its parent."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2s_agent.regions.region import RegionSet, Source


def unchanged_ids(before: NDArray[Any], after: NDArray[Any]) -> dict[int, int]:
    """For each region in `after` with exactly the pixels of a region in `before`: its id, with the id there.

    Both arrays are integers (H, W) on one grid: the id of the region at each pixel, 0 for none.
    """
    sizes_old, sizes_new = (np.bincount(labels[labels > 0]) for labels in (before, after))
    both = (before > 0) & (after > 0)
    old, new = before[both].astype(np.int64), after[both].astype(np.int64)
    pairs, shared = np.unique(new * len(sizes_old) + old, return_counts=True)
    ids_new, ids_old = np.divmod(pairs, len(sizes_old))
    same = (shared == sizes_new[ids_new]) & (shared == sizes_old[ids_old])
    return {int(n): int(o) for n, o in zip(ids_new[same], ids_old[same], strict=True)}


def of_parent(regions: RegionSet, parent: str) -> RegionSet:
    """The regions of a result, each with itself as its source, as a start for another result."""
    return replace(
        regions, regions=tuple(replace(each, sources=(Source(parent, each.id),), was=None) for each in regions.regions)
    )


def with_parents(regions: RegionSet, before: RegionSet, parent: str) -> RegionSet:
    """The regions of a result with their relation to the parent result.

    `was` is the id in the parent where the pixels are the same; the parent's region is then a source, and why windows do not agree on it
    is still true. Overlaps of the parent's masks are kept.
    """
    was = unchanged_ids(before.labels, regions.labels)
    seams = {region.id: region.seams for region in before.regions}
    found = []
    now: dict[int, list[int]] = {}  # by id in the parent
    for region in regions.regions:
        sources = [source for source in region.sources if source.result]
        if region.id in was and not sources:
            sources.append(Source(parent, was[region.id]))
        for source in sources:
            if source.result == parent:
                now.setdefault(source.id, []).append(region.id)
        same = was.get(region.id)
        found.append(
            replace(region, was=same, sources=tuple(sources), seams=region.seams if same is None else seams[same])
        )
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
