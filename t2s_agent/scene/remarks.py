"""Writes the warnings about a scene: files next to it, its position, its file format, fill values."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import rasterio

from t2s_agent.scene.camera import Camera
from t2s_agent.scene.decibels import band_words
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.named_stretch import stretch_words
from t2s_agent.scene.opening import neighbours
from t2s_agent.scene.orientation import orientation_of
from t2s_agent.scene.reading import Blocks
from t2s_agent.scene.stretch import Stretch
from t2s_agent.scene.tiff import directories
from t2s_agent.text import one_line

_READABLE = ("w", ".wld", ".prj", ".aux.xml", ".ovr", ".msk")  # endings of the files that trust_sidecars reads

DARK = 16  # of 255: a picture without brighter pixels looks black
_TOO_FINE_M = 1e-4  # metres per pixel: finer than any overhead image
_LONG_UNIT_M = 2.0  # metres: with longer units, such as kilometres, small coordinates are rms
_RESIDUAL_PX = 0.5  # of control points, root mean square: above this positions are wrong by about a pixel or more


def about_neighbours(path: Path, used: Sequence[str] = (), *, trusted: bool = False) -> Iterator[str]:
    """Names the files next to the image that were read (`used`) and those that were not. `trusted`: sidecars are trusted."""
    if used:
        yield f"{', '.join(one_line(name, 120) for name in used)} beside the image: read, as trusted"
    left = [name for name in neighbours(path) if name not in used]
    if left:
        readable = any(name.lower().endswith(_READABLE) for name in left)
        how = "; a person who trusts them can set trust_sidecars (--trust-sidecars)" if readable and not trusted else ""
        yield f"{', '.join(left)} beside the image: not read{how}"


def about_place(
    dataset: rasterio.DatasetReader, georeference: Georeference, gsd_m: float | None, camera: Camera | None = None
) -> Iterator[str]:
    """Says why the image has no position on Earth, or why its position may be wrong."""
    if georeference.unlocated_because:
        yield f"{georeference.unlocated_because}: measures are in pixels"
        if dataset.rpcs is not None and georeference.transform is None:
            yield _about_rpc(dataset)
    elif camera is not None:
        yield camera.words
    elif gsd_m is not None and gsd_m < _TOO_FINE_M:
        yield (
            f"a pixel measures {gsd_m:.2g} m by the image's coordinate reference system and transform: one of them looks wrong, for "
            "example a transform in degrees with a system in metres"
        )
    elif _looks_like_degrees(dataset, georeference):
        yield (
            "the image's coordinate reference system is in metres or feet, its transform looks like degrees: areas, lengths "
            "and positions are wrong, unless the image is at the origin of the system"
        )
    if datum := georeference.unrelated_datum(dataset.width, dataset.height):
        yield (
            f"there is no transformation from the image's datum ({one_line(datum, 80)}) to WGS 84: positions may be wrong by a few hundred "
            "metres; areas and lengths are right"
        )
    rms, worst = georeference.gcp_residuals_px()
    if rms > _RESIDUAL_PX:
        yield (
            f"the image's {len(georeference.gcps)} ground control points have residuals of {rms:.2g} pixels "
            f"(root mean square; at most {worst:.2g}): positions and areas are as uncertain. Warp the image first, for example "
            "with gdalwarp -tps"
        )


def _about_rpc(dataset: rasterio.DatasetReader) -> str:
    """How to place an image that has only a camera model."""
    return (
        "the image has a camera model (RPC), which needs the height of the ground: set height_m (metres above the WGS 84 ellipsoid; the "
        f"middle of the model's range is {dataset.rpcs.height_off:.6g} m) where the ground is level, else orthorectify the image: gdalwarp "
        "-rpc -to RPC_DEM=dem.tif"
    )


def _looks_like_degrees(dataset: rasterio.DatasetReader, georeference: Georeference) -> bool:
    """Whether all corners of an image in a projected system have coordinates in the range of longitudes and latitudes."""
    crs = georeference.crs
    if crs is None or not crs.is_projected or crs.linear_units_factor[1] > _LONG_UNIT_M:
        return False
    x, y = georeference.to_world([0, dataset.width, 0, dataset.width], [0, 0, dataset.height, dataset.height])
    return bool(abs(x).max() <= 360 and abs(y).max() <= 90)


def about_file(descriptor: int, dataset: rasterio.DatasetReader) -> Iterator[str]:
    """Says that the file contains several pictures, or an orientation tag."""
    pages = [page for page in directories(descriptor) if not page.mask] if dataset.driver == "GTiff" else []
    shape = dataset.width, dataset.height
    others = [page for page in pages if not page.overview or (page.width, page.height) > shape]
    if len(others) > 1:
        sizes = ", ".join(f"{page.width} x {page.height}" for page in others[:4]) + (", ..." if len(others) > 4 else "")
        yield f"the file holds {len(others)} pictures ({sizes} px): only one of {shape[0]} x {shape[1]} px is read; split the file to use another"
    turned = orientation_of(descriptor, dataset.driver, dataset.tags())
    if 2 <= turned <= 8:
        yield (
            f"the file asks viewers to rotate or mirror the picture (orientation {turned}): here it is used as stored, by models and "
            "for pixel positions"
        )


def about_sample(blocks: Blocks) -> str:
    """Says that the stretch and fill values come from a sample of a large scene."""
    return (
        f"the image is large and has no overviews: brightness and fill were estimated from {len(blocks.pieces)} blocks spread over it "
        f"({100 * blocks.share:.2g} % of it); gdaladdo makes overviews"
    )


def about_fills(stretch: Stretch, shown: tuple[int, int, int]) -> Iterator[str]:
    """Names the values that look like fill, and the range of the stretch where extreme values are outside it."""
    named = set()
    for index, fills in zip(shown, stretch.fills, strict=True):
        for fill in fills:
            if fill.value not in named:
                named.add(fill.value)
                yield (
                    f"{fill.share:.1%} of {band_words(index)} is {fill.shown}, not declared as nodata: left out of colours and "
                    f"statistics, not masked. If it is fill: gdal_edit.py -a_nodata {fill.shown} FILE"
                )
    if stretch.wild:
        low, high = min(stretch.low), max(stretch.high)
        yield f"some values are far outside the range of most pixels: the picture shows only {low:.6g} to {high:.6g}"


MISFIT = ", which was named, shows almost only "


def about_named(stretch: Stretch, darkest: int, brightest: int) -> Iterator[str]:
    """Says that a stretch that the caller named makes a picture almost black or almost white."""
    looks = "black" if brightest < DARK else "white" if darkest > 255 - DARK else ""
    if looks:
        yield (
            f"the stretch {stretch_words(stretch.low, stretch.high)}{MISFIT}{looks} (values {darkest} to "
            f"{brightest} of 255): it does not fit this image's values; describe the image to see its own stretch"
        )
