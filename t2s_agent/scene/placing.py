"""Decides where an image lies: by its own tags, its trusted sidecar files, or its camera model at a stated height."""

from dataclasses import dataclass

import rasterio

from t2s_agent.scene.camera import Camera, camera_of
from t2s_agent.scene.georeference import Georeference, georeference_of
from t2s_agent.scene.sidecars import Sidecars


@dataclass(frozen=True, slots=True)
class Placed:
    """The georeference of an image, and the camera model that it is from (None for other images)."""

    georeference: Georeference
    camera: Camera | None = None

    @property
    def height_m(self) -> float | None:
        """The height above the WGS 84 ellipsoid at which the camera model places the image."""
        return self.camera.height_m if self.camera else None


def place(dataset: rasterio.DatasetReader, sidecars: Sidecars, height_m: float | None = None) -> Placed:
    """The place of an image. `height_m` counts only for one that has a camera model (RPC), and neither transform nor control points.

    Call it inside `rasterio.Env(**PINNED)`. Raises `argument_invalid` for a height that is not on Earth.
    """
    found = _georeference(dataset, sidecars)
    if height_m is None or found.transform is not None or found.gcps or dataset.rpcs is None:
        return Placed(found)
    camera = camera_of(dataset, height_m)
    return Placed(camera.georeference(dataset.width, dataset.height), camera)


def _georeference(dataset: rasterio.DatasetReader, sidecars: Sidecars) -> Georeference:
    """The georeference of an image from its tags and trusted sidecar files.

    As in GDAL, an .aux.xml is preferred to the image's tags; a world file or .prj is used only for what is missing.
    """
    gcps, gcp_crs = dataset.gcps
    # for a file without a transform GDAL returns the identity, which would put pixels near 0 degrees east, 0 north
    own = None if dataset.transform.is_identity else dataset.transform
    crs = gcp_crs if gcps else dataset.crs
    if sidecars.transform is not None and (sidecars.first or (not gcps and own is None)):
        own, gcps = sidecars.transform, []
    if sidecars.crs is not None and (sidecars.first or crs is None):
        crs = sidecars.crs
    return georeference_of(crs, None if gcps else own, gcps, dataset.width, dataset.height)
