"""Tiny files in the layout of real products: names of files, bands and tags as the sensors' own documents give them."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC

SIDE = 20
S2_NAMES = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
# Surface reflectance of a meadow (left half) and of a lake (right half) in the bands of S2_NAMES.
S2_MEADOW = (0.04, 0.08, 0.05, 0.12, 0.30, 0.38, 0.45, 0.46, 0.20, 0.10)
S2_LAKE = (0.05, 0.06, 0.04, 0.03, 0.02, 0.02, 0.02, 0.02, 0.01, 0.005)


def halves(left: float, right: float, dtype: str) -> np.ndarray:
    """A picture of SIDE x SIDE px with one value in its left half and another in its right half."""
    pixels = np.full((SIDE, SIDE), left, np.float64)
    pixels[:, SIDE // 2 :] = right
    return (np.rint(pixels) if np.dtype(dtype).kind in "iu" else pixels).astype(dtype)


def write(
    path: Path,
    pixels: Sequence[np.ndarray],
    names: Sequence[str | None] = (),
    tags: Mapping[str, str] | None = None,
    nodata: float | None = None,
    **profile,
) -> Path:
    """A GeoTIFF with these bands; on the ground in UTM zone 31 with pixels of 10 m."""
    height, width = pixels[0].shape
    place = {"crs": CRS.from_epsg(32631), "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000)}
    options = {"driver": "GTiff", "count": len(pixels), "height": height, "width": width, "nodata": nodata}
    with rasterio.open(path, "w", dtype=pixels[0].dtype, **(options | place | profile)) as file:
        file.write(np.stack(pixels))
        file.update_tags(**(tags or {}))
        for index, name in enumerate(names, 1):
            if name:
                file.set_band_description(index, name)
    return path


def sentinel2(path: Path, tags: Mapping[str, str] | None = None, offset: int = -1000, names=S2_NAMES) -> Path:
    """A stack of Sentinel-2 bands: value = reflectance x 10000 - offset."""
    both = zip(S2_MEADOW, S2_LAKE, strict=True)
    pixels = [halves(a * 10_000 - offset, b * 10_000 - offset, "uint16") for a, b in both]
    return write(path, pixels, names, tags, nodata=0)


def landsat8(path: Path, names: bool = True) -> Path:
    """A Landsat 8 Collection 2 Level-2 stack with quality flags: value = (reflectance + 0.2) / 0.0000275."""
    meadow, lake = (0.03, 0.04, 0.08, 0.05, 0.45, 0.20, 0.10), (0.05, 0.05, 0.06, 0.04, 0.02, 0.01, 0.005)
    pixels = [halves((a + 0.2) / 0.0000275, (b + 0.2) / 0.0000275, "uint16") for a, b in zip(meadow, lake, strict=True)]
    pixels += [halves((290 - 149) / 0.00341802, (285 - 149) / 0.00341802, "uint16"), halves(21824, 21952, "uint16")]
    described = [*(f"SR_B{number}" for number in range(1, 8)), "ST_B10", "QA_PIXEL"]
    return write(path, pixels, described if names else (), nodata=0)


def planetscope8(path: Path) -> Path:
    """The 8-band surface reflectance asset of PlanetScope, named as Planet names its bands."""
    meadow = (0.03, 0.04, 0.06, 0.08, 0.07, 0.05, 0.15, 0.45)
    names = ("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir")
    return write(path, [halves(v * 10_000, v * 8_000, "uint16") for v in meadow], names, nodata=0)


def naip(path: Path) -> Path:
    """A NAIP quarter quad: red, green, blue, near infrared, 8 bits, without names."""
    return write(path, [halves(a, b, "uint8") for a, b in ((60, 90), (70, 100), (50, 110), (180, 30))])


def radar(path: Path, names: Sequence[str | None] = ("VV", "VH"), unit: str = "power", side: int = 40) -> Path:
    """Backscatter of sea, field and town: linear power, amplitude (16 bits) or decibels."""
    db = {"VV": (-22.0, -12.0, 2.0), "VH": (-30.0, -18.0, -8.0)}
    rng = np.random.default_rng(0)
    pixels = []
    for polarisation in ("VV", "VH")[: len(names)]:
        mean = np.repeat(np.array(db[polarisation]), [side - 2 * (side // 3), side // 3, side // 3])
        values = np.tile(mean, (side, 1)) + rng.normal(0, 0.5, (side, side))
        linear = 10 ** (values / 10)
        pixels.append(
            {"dB": values, "power": linear, "amplitude": np.sqrt(linear) * 500}[unit].astype(
                "uint16" if unit == "amplitude" else "float32"
            )
        )
    return write(path, pixels, names)


def micasense(path: Path, names: bool = True) -> Path:
    """A RedEdge orthomosaic: blue, green, red, red edge, near infrared; reflectance 1 is stored as 32768."""
    meadow = (0.04, 0.08, 0.05, 0.15, 0.45)
    described = ("Blue", "Green", "Red", "Red edge", "NIR") if names else ()
    return write(path, [halves(v * 32768, v * 30000, "uint16") for v in meadow], described)


def rpc(path: Path, side: int = 40, **changed: float) -> Path:
    """An image with a camera model (RPC) and no transform: north up, 0.0005 degrees a pixel at 100 m, leaning to the west."""

    def numerator(**terms: float) -> list[float]:
        places = {"one": 0, "lon": 1, "lat": 2, "height": 3}
        values = [0.0] * 20
        for name, value in terms.items():
            values[places[name]] = value
        return values

    model = {
        "height_off": 100.0,
        "height_scale": 100.0,
        "lat_off": 45.0,
        "lat_scale": 0.01,
        "line_den_coeff": numerator(one=1.0),
        "line_num_coeff": numerator(lat=-1.0),
        "line_off": side / 2 - 0.5,
        "line_scale": side / 2,
        "long_off": 3.0,
        "long_scale": 0.01,
        "samp_den_coeff": numerator(one=1.0),
        "samp_num_coeff": numerator(lon=1.0, height=0.1),
        "samp_off": side / 2 - 0.5,
        "samp_scale": side / 2,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        options = {"driver": "GTiff", "count": 1, "height": side, "width": side, "dtype": "uint16"}
        with rasterio.open(path, "w", rpcs=RPC(**(model | changed)), **options) as file:
            file.write(np.arange(side * side, dtype="uint16").reshape(1, side, side))
    return path
