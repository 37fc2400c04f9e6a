"""What a scene has to say of itself beside its pixels, in words for people and agents."""

from collections.abc import Iterator
from pathlib import Path

import rasterio

from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.opening import neighbours
from t2s_agent.scene.stretch import Stretch


def about_neighbours(path: Path) -> Iterator[str]:
    """Files beside the image that were not read."""
    beside = neighbours(path)
    if beside:
        yield f"{', '.join(beside)} beside the image: not read"


def about_place(dataset: rasterio.DatasetReader, georeference: Georeference) -> Iterator[str]:
    """Why the image has no place on Earth."""
    if georeference.unlocated_because:
        yield f"{georeference.unlocated_because}: measures are in pixels"
        if dataset.rpcs is not None:
            yield "the image has a rational polynomial camera model, which is not applied: orthorectify it first"


def about_fills(stretch: Stretch, shown: tuple[int, int, int]) -> Iterator[str]:
    """Values that look like fill, and ends that were cut from what is shown."""
    said = set()
    for index, fills in zip(shown, stretch.fills, strict=True):
        for fill in fills:
            if fill.value not in said:
                said.add(fill.value)
                yield (
                    f"{fill.share:.1%} of band {index} hold the value {fill.shown}, far from all others: it looks like "
                    "fill that the file does not declare. It is left out of colours and band statistics, and its pixels "
                    f"still count as data; if they hold none, declare it: gdal_edit.py -a_nodata {fill.shown} FILE"
                )
    if stretch.wild:
        low, high = min(stretch.low), max(stretch.high)
        yield f"the values reach far beyond what most pixels hold: only {low:.6g} to {high:.6g} can be told apart in the picture"
