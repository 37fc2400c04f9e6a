"""Places an image by its rational polynomial camera model (RPC) at one stated height: a plane, not the terrain."""

import warnings
from dataclasses import dataclass

import numpy as np
import pyproj
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import RasterioError, TransformWarning
from rasterio.transform import RPCTransformer

from t2s_agent.errors import T2SError
from t2s_agent.scene.georeference import Floats, Georeference, georeference_of

LOWEST_M, HIGHEST_M = -1_000.0, 10_000.0  # heights of the ground above the ellipsoid
_SIDE = 9  # 9 x 9 points: the polynomial through them is within 0.0001 px of the camera over 1,000 px, and 0.6 px over 20,000
_STEP_M = 10.0  # metres of height by which the lean is stated
_WGS84 = pyproj.Geod(ellps="WGS84")


@dataclass(frozen=True, slots=True)
class Camera:
    """An image placed at `height_m` metres above the WGS 84 ellipsoid.

    `points` are positions in degrees (WGS 84) at pixel positions; empty where the model gives none, which `because` explains.
    `lean_m`: how far ground that is `_STEP_M` higher or lower is from where the picture shows it. `own_error_m`: the model's own
    error, as the file gives it; 0 where it does not.
    """

    height_m: float
    points: tuple[GroundControlPoint, ...] = ()
    lean_m: float = 0.0
    own_error_m: float = 0.0
    because: str = ""

    @property
    def words(self) -> str:
        """What the positions rest on, and how uncertain they are."""
        own = f"; the model's own error is {self.own_error_m:.2g} m" if self.own_error_m > 0 else ""
        return (
            f"positions are by the image's camera model (RPC) at a height of {self.height_m:g} m above the WGS 84 ellipsoid: ground "
            f"{_STEP_M:g} m higher or lower is {self.lean_m:.2g} m beside its place{own}"
        )

    def georeference(self, width: int, height: int) -> Georeference:
        """The georeference of an image of `width` x `height` pixels at this height."""
        if self.because:
            return Georeference(unusable_because=self.because)
        return georeference_of(CRS.from_epsg(4326), None, self.points, width, height)


def camera_of(dataset: rasterio.DatasetReader, height_m: float) -> Camera:
    """The camera of an image that has RPC, at a height; call it inside `rasterio.Env(**PINNED)`.

    Raises `argument_invalid` for a height that is not on Earth.
    """
    if not LOWEST_M <= height_m <= HIGHEST_M:
        raise T2SError(
            "argument_invalid",
            f"height_m is {height_m:g}",
            f"Give metres above the WGS 84 ellipsoid from {LOWEST_M:g} to {HIGHEST_M:g}",
        )
    failed = Camera(height_m, because=f"the image's camera model (RPC) gives no position at a height of {height_m:g} m")
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, dataset.width, _SIDE), np.linspace(0, dataset.height, _SIDE)))
    try:
        lon, lat = _at(dataset, x, y, height_m)
        above = _at(dataset, x, y, height_m + _STEP_M)
        bias = float(dataset.rpcs.err_bias or 0.0)
    except (RasterioError, CPLE_BaseError, ValueError, TypeError):
        return failed
    finite = np.isfinite([lon, lat, *above]).all() and np.abs(lat).max() <= 90 and np.abs(lon).max() <= 540
    if not finite or np.ptp(lon) > 180 or not (np.ptp(lon) > 0 and np.ptp(lat) > 0):
        return failed
    points = tuple(GroundControlPoint(row, column, a, b) for column, row, a, b in zip(x, y, lon, lat, strict=True))
    _, _, leans = _WGS84.inv(lon, lat, *above)
    return Camera(height_m, points, float(np.max(leans)), max(0.0, bias))


def _at(dataset: rasterio.DatasetReader, x: Floats, y: Floats, height_m: float) -> tuple[Floats, Floats]:
    """Longitudes and latitudes of pixel positions at a height."""
    with warnings.catch_warnings(), RPCTransformer(dataset.rpcs, RPC_HEIGHT=height_m) as transformer:
        warnings.simplefilter("ignore", TransformWarning)  # the positions are infinite then, which is checked
        lon, lat = transformer.xy(y, x, offset="ul")
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)
