"""RRSIS-D: an object of a DIOR image and a sentence that refers to it, in RefCOCO's structure.

ROOT/rrsisd/refs(unc).p (a pickled list of dicts), ROOT/rrsisd/instances.json (COCO's lists, a segmentation is a list that holds run
lengths), ROOT/images/rrsisd/JPEGImages/FILE. Every sentence of a ref is a sample.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from evals.datasets.coco import loaded
from evals.datasets.dataset import Card, Dataset, Expected
from evals.datasets.files import Files, Folder, picture, size_of
from evals.datasets.pickles import plain
from evals.datasets.problems import BrokenSample
from evals.datasets.rle import decoded
from evals.datasets.sample import Sample, Truth
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class _Ref:
    id: int
    image: str
    category: str
    annotation: Mapping[str, Any]
    sentences: tuple[tuple[str, str], ...]  # id, text


class RrsisD(Dataset):
    """All sentences of a split's refs. `text` says which of a sentence's texts is asked: "raw" as RMSIN does, or "sent" (cleaned)."""

    name = "rrsis_d"
    card = Card(
        title="RRSIS-D: referring segmentation of remote sensing imagery",
        citation="Liu et al., Rotated Multi-Scale Interaction Network for Referring Remote Sensing Image Segmentation, CVPR 2024",
        licence="not stated in its repository; imagery of DIOR under its own terms",
        expected={"train": Expected(12181), "val": Expected(1740), "test": Expected(3481)},
        notes=("17,402 triplets, images of 800 x 800 px", "ground sample distance: not in the files"),
    )

    def __init__(self, root: Path, split: str, *, text: Literal["raw", "sent"] = "raw") -> None:
        super().__init__(split)
        if split not in SPLITS or text not in ("raw", "sent"):
            raise T2SError("argument_invalid", f"no split {split} with text {text}", f"Splits: {', '.join(SPLITS)}")
        self.refs, self.listing = root / "rrsisd" / "refs(unc).p", root / "rrsisd" / "instances.json"
        self.files = Folder(root / "images" / "rrsisd" / "JPEGImages")
        self._text = text
        self._refs = list(self._listed())
        self.images = len({ref.image for ref in self._refs})
        self.instances = len({ref.annotation["id"] for ref in self._refs})

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        return list(SPLITS) if (root / "rrsisd").is_dir() else []

    def pictures(self) -> Iterator[tuple[Files, str]]:
        return ((self.files, name) for name in sorted({ref.image for ref in self._refs}))

    def __len__(self) -> int:
        return sum(len(ref.sentences) for ref in self._refs)

    def samples(self) -> Iterator[Sample]:
        for ref in self._refs:
            where = f"{self.listing.name} annotation {ref.annotation['id']}"
            for index, (id_, text) in enumerate(ref.sentences):
                facts: dict[str, str | float] = {
                    "split": self.split,
                    "category": ref.category,
                    "question_kind": "referring",
                    "item": str(ref.id),
                    "question_index": index,
                    "questions": len(ref.sentences),
                    "objects": 1,
                }
                if type(ref.annotation.get("area")) in (int, float):
                    facts["median_area_px"] = float(ref.annotation["area"])
                yield Sample(
                    id=f"{ref.id}/{id_}",
                    image_id=ref.image,
                    question=text,
                    read_image=partial(picture, self.files, ref.image),
                    read_truth=partial(_read_truth, self.files, ref.image, ref.annotation.get("segmentation"), where),
                    metadata=facts,
                )

    def _listed(self) -> Iterator[_Ref]:
        rows = plain(self.refs)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BrokenSample("broken", str(self.refs), "is no list of refs")
        listing = loaded(self.listing)
        images = self._by_id(listing["images"], "image")
        annotations = self._by_id(listing["annotations"], "annotation")
        categories = self._by_id(listing["categories"], "category")
        refs: set[object] = set()
        sentences: set[object] = set()
        for row in sorted(
            (row for row in rows if row.get("split") == self.split), key=lambda row: str(row.get("ref_id")).zfill(9)
        ):
            where = f"{self.refs.name} ref {row.get('ref_id')}"
            annotation, image = annotations.get(row.get("ann_id")), images.get(row.get("image_id"))
            asked = self._sentences(row, where, sentences)
            if type(row.get("ref_id")) is not int or row["ref_id"] in refs:
                self.report(
                    "doubled" if row.get("ref_id") in refs else "broken",
                    where,
                    "its ref_id is no number, or stands there twice",
                )
            elif annotation is None or image is None or annotation.get("image_id") != row["image_id"]:
                self.report(
                    "broken",
                    where,
                    f"its annotation {row.get('ann_id')} or its image {row.get('image_id')} is not listed",
                )
            elif str(image.get("file_name")) not in self.files:
                self.report("missing", self.files.where(str(image.get("file_name"))), f"named by {where}")
            elif asked:
                refs.add(row["ref_id"])
                category = str(categories.get(annotation.get("category_id"), {}).get("name", "not stated"))
                yield _Ref(row["ref_id"], image["file_name"], category, annotation, asked)

    def _by_id(self, rows: list[dict[str, Any]], what: str) -> dict[Any, dict[str, Any]]:
        by_id: dict[Any, dict[str, Any]] = {}
        for row in rows:
            if row.get("id") in by_id:
                self.report("doubled", f"{self.listing.name} {what} {row.get('id')}", "its id stands there twice")
            by_id.setdefault(row.get("id"), row)
        return by_id

    def _sentences(self, row: Mapping[str, Any], where: str, seen: set[object]) -> tuple[tuple[str, str], ...]:
        found = []
        listed = row.get("sentences")
        for sentence in listed if isinstance(listed, list) else []:
            id_, text = (
                (sentence.get("sent_id"), sentence.get(self._text)) if isinstance(sentence, dict) else (None, None)
            )
            if type(id_) is not int or not isinstance(text, str) or not text.strip():
                self.report("broken", where, f"has a sentence without sent_id or {self._text}")
            elif id_ in seen:
                self.report("doubled", where, f"its sentence {id_} stands there twice")
            else:
                seen.add(id_)
                found.append((str(id_), text))
        if not listed or not isinstance(listed, list):
            self.report("broken", where, "has no sentences")
        return tuple(found)


def _read_truth(files: Folder, image: str, segmentation: Any, where: str) -> Truth:
    height, width = size_of(files, image)
    mask = decoded(segmentation, height, width, where)
    return Truth(mask, (Mask.of(mask),) if mask.any() else ())
