"""Reads the overhead images among which a remark is a false one."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evals.datasets.procedural import FIRST_SEED
from evals.scenes.compose import draw
from t2s_agent.errors import T2SError
from t2s_agent.scene import View, Window, open_scene
from t2s_agent.scene.georeference import Georeference

TRAIN = ("isaid448/train", "landcover/dubai_train", "landcover/buildings_train")  # thresholds were chosen on these
TEST = ("isaid448/test", "landcover/dubai_test", "landcover/buildings_test")
NO_PICTURES = ("antimeridian.tif", "landcover_palette.tif")  # of geo: maps of classes, about which the remark is right
_SIDE = 1024  # px, of the picture that models see


def view_of(rgb: NDArray[np.uint8]) -> View:
    """A View of a picture without a place, made smaller as pictures for models are."""
    if max(rgb.shape[:2]) > _SIDE:
        image = Image.fromarray(rgb)
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
        rgb = np.asarray(image)
    height, width = rgb.shape[:2]
    valid = np.ones((height, width), bool)
    return View(rgb, valid, Georeference(), Window(0, 0, width, height), None, (1, 2, 3))


def archived(root: Path, name: str) -> Iterator[tuple[str, View]]:
    """The JPEG pictures of an archive, such as `isaid448/train`, with their names."""
    with tarfile.open(root / f"{name}.tar") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".jpg") else None
            if file is not None:
                with Image.open(io.BytesIO(file.read())) as image:
                    yield member.name, view_of(np.asarray(image.convert("RGB")))


def rasters(root: Path) -> Iterator[tuple[str, View]]:
    """The rasters of `geo`, as they are shown to models; without those that cannot be opened, and without maps."""
    for path in sorted((root / "geo").iterdir()):
        if path.suffix not in (".tif", ".jp2") or path.name in NO_PICTURES:
            continue
        try:
            with open_scene(path) as scene:
                view = scene.view(max_size=_SIDE)
        except T2SError as error:  # each file has a trait that breaks readers
            print(f"{path.name} is left out: {error}")
            continue
        yield path.name, view


def drawn(count: int) -> Iterator[tuple[str, View]]:
    """Procedural scenes, which are drawn as seen from above."""
    for seed in range(FIRST_SEED["test"], FIRST_SEED["test"] + count):
        yield f"scene {seed}", view_of(draw(seed, size=448, gsd_m=0.5).rgb)
