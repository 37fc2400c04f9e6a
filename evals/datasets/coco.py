"""Instance sets in COCO's format, asked by a question bank: iSAID, its packed crops, building crops, any other.

Three layouts are known, and `annotations` and `images` (paths in ROOT) name any other:
- packed: ROOT/SPLIT.json beside ROOT/SPLIT.tar, which holds the images;
- COCO: ROOT/annotations/instances_SPLIT.json, images in ROOT/SPLIT or ROOT/images/SPLIT;
- iSAID: ROOT/SPLIT/Annotations/iSAID_SPLIT.json, images in ROOT/SPLIT/images.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.datasets.bank import Bank, Question, category_of, identity, item_of
from evals.datasets.dataset import Card, Dataset, Expected
from evals.datasets.files import Files, Folder, Tar, picture, size_of
from evals.datasets.near import near
from evals.datasets.problems import BrokenSample
from evals.datasets.rle import decoded
from evals.datasets.sample import Image, Labelled, Sample, Truth, TruthMask
from t2s_agent.errors import T2SError
from t2s_agent.mask import EMPTY, Mask, union_of

Row = Mapping[str, Any]
TILES_A_BLOCK = 400  # of isaid448: blocks of tile numbers that share no source image (its pack.py)


class Coco(Dataset):
    """A COCO instance set; its questions are drawn by a `Bank`. Each image's objects are kept as they are written, not as pixels."""

    name = "coco"
    card = Card(
        title="Any instance set in COCO's format",
        citation="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014 (the format); the set's own authors",
        licence="not stated here: that of the set's authors",
    )

    def __init__(
        self,
        root: Path,
        split: str,
        *,
        annotations: str = "",
        images: str = "",
        bank: Bank | None = None,
    ) -> None:
        super().__init__(split)
        self.bank = bank or Bank()
        self.path, self.files = _found(root, split, annotations, images)
        listing = loaded(self.path)
        self.categories = self._categories(listing)
        self._images = self._listed(listing["images"])
        self._stretches = _stretches(self._images.values())
        self._rows = self._by_image(listing["annotations"], {row.get("id") for row in listing["images"]})
        self.images, self.instances = len(self._images), sum(len(rows) for rows in self._rows.values())
        self._asked = {image: tuple(self._questions(image)) for image in self._images}

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        packed = [path.stem for path in root.glob("*.json") if path.with_suffix(".tar").is_file()]
        folders = [path.stem.removeprefix("instances_") for path in root.glob("annotations/instances_*.json")]
        isaid = [path.parent.parent.name for path in root.glob("*/Annotations/iSAID_*.json")]
        return sorted({*packed, *folders, *isaid})

    def pictures(self) -> Iterator[tuple[Files, str]]:
        return ((self.files, str(row["file_name"])) for row in self._images.values())

    def __len__(self) -> int:
        return sum(len(questions) for questions in self._asked.values())

    def samples(self) -> Iterator[Sample]:
        for image, questions in self._asked.items():
            name, size = self._images[image]["file_name"], self._size(image)
            for number, question in enumerate(questions):
                rows = self._of(image, question.category)
                wanted = [rows[index] for index in question.wanted]
                facts = self._metadata(self._images[image], question, wanted)
                yield Sample(
                    id=identity(name, number, question),
                    image_id=name,
                    question=question.text,
                    read_image=partial(_read_image, self.files, name, size),
                    read_truth=partial(_read_truth, wanted, size, f"{self.path.name} ({name})", question.known),
                    metadata=facts | item_of(name, number, question),
                )

    def labelled(self) -> Iterator[Labelled]:
        """Each image with all its objects, read one by one."""
        for id_, row in self._images.items():
            name, size = row["file_name"], self._size(id_)
            where = f"{self.path.name} ({name})"
            objects = [(self.categories[each["category_id"]], _mask(each, size, where)) for each in self._rows[id_]]
            yield Labelled(name, _read_image(self.files, name, size), tuple(objects))

    def _metadata(self, image: Row, question: Question, wanted: Sequence[Row]) -> dict[str, str | float]:
        facts: dict[str, str | float] = {
            "split": self.split,
            "category": question.category,
            "question_kind": question.kind,
            "phrasing": question.phrasing,
            "objects": len(wanted),
        }
        if question.which:
            facts["which"] = question.which
        if wanted and all(_is_number(row.get("area")) for row in wanted):
            facts["median_area_px"] = float(np.median([row["area"] for row in wanted]))
        if _is_number(image.get("source_tile")):
            block = int(image["source_tile"]) // TILES_A_BLOCK
            facts |= {
                "source": f"tile {image['source_tile']}",
                "block": f"block {block}",
                "stretch": f"blocks from {self._stretches[block]}",
            }
        if _is_number(image.get("gsd_m")):
            facts["gsd_m"] = float(image["gsd_m"])
        return facts

    def _categories(self, listing: Row) -> dict[int, str]:
        names = {row.get("id"): category_of(str(row.get("name"))) for row in listing["categories"]}
        if len(names) < len(listing["categories"]):
            self.report("doubled", self.path, "lists two categories of one id")
        return names

    def _listed(self, rows: Sequence[Row]) -> dict[int, Row]:
        """The images that can be asked about, by id, sorted by name."""
        listed: dict[int, Row] = {}
        names: set[str] = set()
        for row in sorted(rows, key=lambda row: str(row.get("file_name"))):
            name, where = row.get("file_name"), f"{self.path.name} image {row.get('id')}"
            if not isinstance(name, str) or type(row.get("id")) is not int or not _has_size(row):
                self.report("broken", where, "has no id, file name, width or height")
            elif row["id"] in listed or name in names:
                self.report("doubled", where, f"{name}: its id or name stands there twice")
            elif name not in self.files:
                self.report("missing", self.files.where(name), "no such file")
            else:
                listed[row["id"]] = row
                names.add(name)
        if isinstance(self.files, Tar):
            for name in self.files.doubled:
                self.report("doubled", self.files.where(name), "stands in the tar twice")
        return listed

    def _by_image(self, rows: Sequence[Row], known: set[Any]) -> dict[int, list[Row]]:
        """Annotations by image. Those of `known` images that were left out are left out too; others that fit nothing are problems."""
        by_image: dict[int, list[Row]] = {image: [] for image in self._images}
        seen: set[int] = set()
        for row in rows:
            where = f"{self.path.name} annotation {row.get('id')}"
            if type(row.get("id")) is not int:
                self.report("broken", where, "has no id")
                continue
            if row["id"] in seen:
                self.report("doubled", where, "its id stands there twice")
            elif row.get("image_id") not in known:
                self.report("broken", where, f"belongs to image {row.get('image_id')}, which is not listed")
            elif row.get("category_id") not in self.categories or not _box_of(row):
                self.report("broken", where, "has no box of numbers, or a category that is not listed")
            elif row["image_id"] in by_image:
                by_image[row["image_id"]].append(row)
            seen.add(row["id"])
        return by_image

    def _of(self, image: int, category: str) -> list[Row]:
        return [row for row in self._rows[image] if self.categories[row["category_id"]] == category]

    def _size(self, image: int) -> tuple[int, int]:
        return self._images[image]["height"], self._images[image]["width"]

    def _questions(self, image: int) -> Iterator[Question]:
        boxes: dict[str, list[list[float]]] = {}
        for row in self._rows[image]:
            boxes.setdefault(self.categories[row["category_id"]], []).append(_box_of(row))
        known = sorted(set(self.categories.values()))
        arrays = {category: np.array(each) for category, each in boxes.items()}
        name = self._images[image]["file_name"]
        return self.bank.ask(name, known, arrays, self._size(image), partial(self._near, image))

    def _near(self, image: int, category: str, landmark: str) -> NDArray[np.bool_] | None:
        size, where = self._size(image), f"{self.path.name} ({self._images[image]['file_name']})"
        masks, landmarks = ([_mask(row, size, where) for row in self._of(image, each)] for each in (category, landmark))
        return near(masks, landmarks, size)


class Isaid(Coco):
    """iSAID as its authors publish it: whole images with instance masks."""

    name = "isaid"
    card = Card(
        title="iSAID: instance segmentation in aerial images",
        citation="Zamir et al., iSAID: A Large-scale Dataset for Instance Segmentation in Aerial Images, CVPR Workshops 2019; "
        "Xia et al., DOTA: A Large-Scale Dataset for Object Detection in Aerial Images, CVPR 2018",
        licence="academic use only, no commercial use; Google Earth's terms apply to its imagery",
        expected={"train": Expected(images=1411), "val": Expected(images=458), "test": Expected(images=937)},
        notes=(
            "655,451 objects in 2,806 images; the truth of its test split is not public",
            "ground sample distance: not in the files",
        ),
    )


class Isaid448(Isaid):
    """Crops of iSAID of 448 px, packed (ROOT/train.json, train.tar, test.json, test.tar)."""

    name = "isaid448"
    card = Card(
        title="iSAID in crops of 448 px",
        citation=Isaid.card.citation,
        licence="academic use only, no commercial use; one wording of DOTA's terms forbids redistribution",
        expected={
            "train": Expected(images=1211, instances=23036),
            "test": Expected(images=305, instances=6726),
        },
        notes=(
            "one source image's tiles have neighbouring numbers: only `block` (400 numbers), not `source`, parts images surely",
            "annotators skipped some objects: a prediction on one counts as false",
            "ground sample distance: not in the files",
            "what is no class of it (crosswalks, solar panels) is not annotated: whether it is there is not known",
        ),
    )


class LandcoverBuildings(Coco):
    """Crops of 512 px with building footprints, packed (splits buildings_train and buildings_test)."""

    name = "buildings"
    card = Card(
        title="Building instances, universe.roboflow.com/gis-detection/building-segmentation-3uaut-liebi, version 2, a sample of it",
        citation="the address above; no paper is known",
        licence="published as CC BY 4.0; who took the imagery is not stated",
        expected={
            "buildings_train": Expected(images=62, instances=1383),
            "buildings_test": Expected(images=28, instances=665),
        },
        notes=("its train and test images may be neighbours", "ground sample distance: not in the files"),
    )


def _found(root: Path, split: str, annotations: str, images: str) -> tuple[Path, Files]:
    layouts = [
        (root / f"{split}.json", root / f"{split}.tar"),
        (root / "annotations" / f"instances_{split}.json", root / split),
        (root / "annotations" / f"instances_{split}.json", root / "images" / split),
        (root / split / "Annotations" / f"iSAID_{split}.json", root / split / "images"),
    ]
    if annotations:
        layouts = [(root / annotations, root / (images or "images"))]
    for listing, pictures in layouts:
        if listing.is_file() and pictures.exists():
            return listing, Tar(pictures) if pictures.suffix == ".tar" else Folder(pictures)
    tried = ", ".join(f"{listing.relative_to(root)} with {pictures.relative_to(root)}" for listing, pictures in layouts)
    raise T2SError("argument_invalid", f"{root} holds no COCO set of split {split}", f"Looked for {tried}")


def _stretches(images: Iterable[Row]) -> dict[int, int]:
    """For each block of tiles the first of the blocks that follow each other without a gap up to it."""
    tiles = (row["source_tile"] for row in images if _is_number(row.get("source_tile")))
    first: dict[int, int] = {}
    for block in sorted({int(tile) // TILES_A_BLOCK for tile in tiles}):
        first[block] = first.get(block - 1, block)
    return first


def loaded(path: Path) -> dict[str, Any]:
    """A listing in COCO's format; BrokenSample where it is none."""
    try:
        listing = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BrokenSample("broken", str(path), f"is not JSON: {error}") from error
    keys = ("images", "annotations", "categories")
    if not isinstance(listing, dict) or not all(_is_rows(listing.get(key)) for key in keys):
        raise BrokenSample("broken", str(path), f"does not hold lists of objects under {', '.join(keys)}")
    return listing


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _read_image(files: Files, name: str, size: tuple[int, int]) -> Image:
    if (found := size_of(files, name)) != size:
        raise BrokenSample("broken", files.where(name), f"is {found} px (height, width), listed as {size}")
    return picture(files, name)


def _read_truth(rows: Sequence[Row], size: tuple[int, int], where: str, known: bool) -> Truth:
    masks = tuple(_mask(row, size, where) for row in rows)
    return Truth(union_of(masks, *size), masks, known=known)


def _mask(row: Row, size: tuple[int, int], where: str) -> Mask:
    name = f"{where} annotation {row['id']}"
    pixels: TruthMask = decoded(row.get("segmentation"), *size, name)
    mask = Mask.of(pixels)
    if mask is EMPTY:
        raise BrokenSample("broken", name, "its mask has no pixel")
    return mask


def _has_size(row: Row) -> bool:
    return all(type(row.get(key)) is int and 0 < row[key] < 2**20 for key in ("height", "width"))


def _box_of(row: Row) -> list[float]:
    """x1, y1, x2, y2 in pixels; empty where the row has none."""
    box = row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        return []
    x, y, width, height = box
    return [x, y, x + width, y + height]


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and bool(np.isfinite(float(value)))  # type: ignore[arg-type]  # its type was asked
