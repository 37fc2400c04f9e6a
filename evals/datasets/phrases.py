"""Referring sets that list a phrase a line: RefSegRS and RISBench.

ROOT/output_phrase_SPLIT.txt names an image and what is referred to in it; each line is a sample. Several lines may name one image.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

from evals.datasets.dataset import Card, Dataset, Expected
from evals.datasets.files import Files, Folder, mask, picture, size_of
from evals.datasets.sample import Sample, Truth
from t2s_agent.errors import T2SError

SPLITS = ("train", "val", "test")


class _Line(NamedTuple):
    number: int  # from 1
    image: str
    phrase: str


class Phrases(Dataset):
    """A set whose subclass says where images and masks lie, and how the file names follow from a line's first word."""

    image_folder: ClassVar[str]
    mask_folder: ClassVar[str]
    ending: ClassVar[str]  # added to a line's first word

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(split)
        self.list = root / f"output_phrase_{split}.txt"
        if not self.list.is_file():
            raise T2SError("argument_invalid", f"{self.list} is no file", f"Splits: {', '.join(SPLITS)}")
        self.files = Folder(root)
        self._lines = list(self._listed())
        self.images = len({line.image for line in self._lines})

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        return [
            split
            for split in SPLITS
            if (root / f"output_phrase_{split}.txt").is_file() and (root / cls.image_folder).is_dir()
        ]

    def pictures(self) -> Iterator[tuple[Files, str]]:
        return ((self.files, self._names(word)[0]) for word in sorted({line.image for line in self._lines}))

    def __len__(self) -> int:
        return len(self._lines)

    def samples(self) -> Iterator[Sample]:
        for line in self._lines:
            image, label = self._names(line.image)
            yield Sample(
                id=f"{line.image}#{line.number}",
                image_id=line.image,
                question=line.phrase,
                read_image=partial(picture, self.files, image),
                read_truth=partial(_read_truth, self.files, image, label),
                metadata={
                    "split": self.split,
                    "question_kind": "referring",
                    "item": f"{line.image}#{line.number}",
                    "question_index": 0,
                },
            )

    def _names(self, word: str) -> tuple[str, str]:
        return f"{self.image_folder}/{word}{self.ending}", f"{self.mask_folder}/{word}{self.ending}"

    def _listed(self) -> Iterator[_Line]:
        try:
            text = self.list.read_text(encoding="utf-8-sig")
        except ValueError as error:
            raise T2SError("argument_invalid", f"{self.list} is not UTF-8: {error}", "Save it as UTF-8") from error
        seen: dict[tuple[str, str], int] = {}
        for number, row in enumerate(text.split("\n"), 1):
            if not row.strip():
                continue
            word, *rest = row.split()
            phrase, where = " ".join(rest), f"{self.list} line {number}"
            missing = [name for name in self._names(word) if name not in self.files]
            if not phrase:
                self.report("broken", where, f"names {word} and no phrase")
            elif missing:
                self.report("missing", self.files.where(missing[0]), f"named by line {number}")
            elif (word, phrase) in seen:
                self.report("doubled", where, f"is the same as line {seen[word, phrase]}")
            else:
                seen[word, phrase] = number
                yield _Line(number, word, phrase)


class RefSegRS(Phrases):
    """RefSegRS: ROOT/images/ID.tif, ROOT/masks/ID.tif, lines "ID phrase"."""

    name = "refsegrs"
    image_folder, mask_folder, ending = "images", "masks", ".tif"
    card = Card(
        title="RefSegRS: referring segmentation of remote sensing imagery",
        citation="Yuan et al., RRSIS: Referring Remote Sensing Image Segmentation, IEEE TGRS 2024",
        licence="CC BY 4.0 (README of its repository)",
        expected={"train": Expected(2172), "val": Expected(431), "test": Expected(1817)},
        notes=("4,420 triplets, images of 512 x 512 px", "ground sample distance: not in the files"),
    )


class RISBench(Phrases):
    """RISBench: ROOT/img_rgb/FILE, ROOT/mask/FILE, lines "FILE phrase"."""

    name = "risbench"
    image_folder, mask_folder, ending = "img_rgb", "mask", ""
    card = Card(
        title="RISBench: referring segmentation of remote sensing imagery",
        citation="Dong et al., Cross-Modal Bidirectional Interaction Model for Referring Remote Sensing Image Segmentation, 2024",
        licence="its README says CC BY 4.0 and points to a non-commercial licence too: not clear; images of DOTA-v2 and DIOR under "
        "their own terms",
        expected={"train": Expected(26300), "val": Expected(10013), "test": Expected(16159)},
        notes=("52,472 triplets, images of 512 x 512 px", "ground sample distance: not in the files"),
    )


def _read_truth(files: Folder, image: str, label: str) -> Truth:
    return Truth(mask(files, label, size_of(files, image)))
