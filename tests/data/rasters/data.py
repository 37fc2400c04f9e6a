"""Tiny rasters for the scene tests, honest and hostile, made when a test asks for them."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS

UTM33 = CRS.from_epsg(32633)
PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)


def geotiff(path: Path, bands: int = 3, height: int = 30, width: int = 40, dtype: str = "uint8", **profile) -> Path:
    """A GeoTIFF whose pixel (x, y) of band b holds x + 2 y + 10 b, so that every pixel says where it is."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x + 2 * y + 10 * b for b in range(bands)]).astype(dtype)
    options = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": dtype}
    place = {} if profile.pop("bare", False) else {"crs": UTM33, "transform": PLACE}
    with rasterio.open(path, "w", **(options | place | profile)) as file:
        file.write(pixels)
    return path


def flat(path: Path, value: int, height: int = 30, width: int = 40) -> Path:
    """A plain picture of one value: the secret that an attack tries to show."""
    with rasterio.open(path, "w", driver="GTiff", count=1, height=height, width=width, dtype="uint8") as file:
        file.write(np.full((1, height, width), value, np.uint8))
    return path


def vrt(source: str, height: int = 30, width: int = 40) -> str:
    """A virtual raster that shows `source`."""
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><VRTRasterBand dataType="Byte" band="1">'
        f'<SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename><SourceBand>1</SourceBand>'
        f"</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def raw_vrt(source: str, height: int = 4, width: int = 4) -> str:
    """A virtual raster that shows the bytes of any file as pixels."""
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><VRTRasterBand dataType="Byte" band="1" '
        f'subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="0">{source}</SourceFilename><ImageOffset>0</ImageOffset>'
        f"<PixelOffset>1</PixelOffset><LineOffset>{width}</LineOffset></VRTRasterBand></VRTDataset>"
    )


def wms(url: str) -> str:
    """A description of a map service."""
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service><DataWindow>'
        "<UpperLeftX>0</UpperLeftX><UpperLeftY>1</UpperLeftY><LowerRightX>1</LowerRightX><LowerRightY>0</LowerRightY>"
        "<TileLevel>1</TileLevel><YOrigin>top</YOrigin></DataWindow><BandsCount>3</BandsCount></GDAL_WMS>"
    )
