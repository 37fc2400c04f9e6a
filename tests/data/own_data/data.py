"""A georeferenced image and a plain one, with a table of questions: as CSV and as JSON Lines."""

import csv
import json

import numpy as np
import rasterio
from affine import Affine
from PIL import Image
from rasterio.warp import transform_geom

HEIGHT, WIDTH = 30, 50
PLACE = Affine(2, 0, 500_000, 0, -2, 5_000_000)  # 2 m a pixel, UTM 33
BARN = (10, 5, 20, 15)  # x1, y1, x2, y2 in pixels
SHED = (30, 20, 34, 22)
NOWHERE = (60, 5, 70, 9)  # beside the image


def square(box):
    """A GeoJSON polygon in pixels."""
    x1, y1, x2, y2 = box
    return {"type": "Polygon", "coordinates": [[[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]]]}


def lonlat(box):
    """The same on the ground."""
    placed = [[list(PLACE @ tuple(corner)) for corner in ring] for ring in square(box)["coordinates"]]
    return transform_geom("EPSG:32633", "EPSG:4326", {"type": "Polygon", "coordinates": placed}, precision=-1)


def features(*boxes):
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": lonlat(box)} for box in boxes],
    }


def rows():
    """By file, by polygons on the ground and in pixels, by mask, by nothing."""
    return [
        {
            "image": "sub/field.tif",
            "question": "Find the barns, and the sheds",
            "polygons": "barns.geojson",
            "category": "building",
        },
        {"image": "sub/field.tif", "question": "the barn", "polygons": json.dumps(lonlat(BARN)), "source": "visit 3"},
        {"image": "plain.png", "question": "the shed", "polygons": json.dumps(square(SHED)), "coordinates": "pixel"},
        {"image": "plain.png", "question": 'the "barn"', "mask": "mask.png", "id": "masked", "split": "val"},
        {"image": "plain.png", "question": "the lighthouse", "empty": True},
    ]


def write(root, form="csv", table=None):
    """ROOT/samples.csv or samples.jsonl with its images, mask and polygons."""
    (root / "sub").mkdir(parents=True)
    profile = {"driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": 3, "dtype": "uint8", "crs": 32633}
    with rasterio.open(root / "sub" / "field.tif", "w", transform=PLACE, **profile) as file:
        file.write(np.arange(3 * HEIGHT * WIDTH, dtype=np.uint8).reshape(3, HEIGHT, WIDTH))
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 70, np.uint8)).save(root / "plain.png")
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x1, y1, x2, y2 = BARN
    mask[y1:y2, x1:x2] = 1
    Image.fromarray(mask).save(root / "mask.png")
    (root / "barns.geojson").write_text(json.dumps(features(BARN, SHED, NOWHERE)), encoding="utf-8")
    table = rows() if table is None else table
    if form == "jsonl":
        (root / "samples.jsonl").write_text("\n".join(json.dumps(row) for row in table), encoding="utf-8")
        return root
    columns = list(dict.fromkeys(key for row in table for key in row))
    with (root / "samples.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, delimiter=";" if form == "semicolons" else ",")
        writer.writeheader()
        writer.writerows(
            {key: str(value).lower() if value is True else value for key, value in row.items()} for row in table
        )
    return root
