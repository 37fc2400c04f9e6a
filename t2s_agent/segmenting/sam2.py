"""Segments with SAM 2.1 in transformers: the paper's segmenter in all four sizes, and nano's, which has the same class.

SAM 3's tracker has the same two steps and the same prompts; it uses another class and another normalisation of pixels.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from t2s_agent.accelerator import device_of, load_weights, memory_for
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import EMPTY, Mask
from t2s_agent.scene.view import View
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.segmenter import LESS_SURE, SURER, Embedding, Masks, at_once
from t2s_agent.threads import threads, threads_for
from t2s_agent.weights import model_folder, read_settings, weights_digest

if TYPE_CHECKING:
    from t2s_agent.segmenting.mask_decoder import Prepared

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Family:
    """The differences between the families: the class in transformers, and the mean and deviation for normalising pixels."""

    kind: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


_SAM2 = Family("Sam2Model", IMAGENET_MEAN, IMAGENET_STD)
_SAM3 = Family("Sam3TrackerModel", (0.5,) * 3, (0.5,) * 3)
# by config.json's model_type; Meta publishes the files of the video models
FAMILIES = {"sam2": _SAM2, "sam2_video": _SAM2, "sam3_tracker": _SAM3, "sam3_tracker_video": _SAM3, "sam3_video": _SAM3}
_PREPROCESSING = "square-bilinear-1"  # part of every cache key: change it when the preprocessing below changes
_POSITIVE, _NEGATIVE = 1, 0  # labels of points
_PIXELS_AT_ONCE = 4 * 192**2  # input pixels in one pass of the encoder; more than 4 crops leave a processor's cache


class Sam2Segmenter:
    """A Sam2Model or Sam3TrackerModel. Its input is a square of `side` pixels; each View is resized to it, as in the paper."""

    def __init__(
        self, model: Any, *, name: str, digest: str, side: int, cache: EmbeddingCache, family: Family = _SAM2
    ) -> None:
        self.name, self.digest = name, digest
        self._model, self._side, self._cache, self._family = model, side, cache, family
        from t2s_agent.segmenting.image_encoder import ImageEncoder, fits
        from t2s_agent.segmenting.mask_decoder import MaskDecoder

        self._encode = ImageEncoder(model).embed if fits(model) else model.get_image_embeddings
        self._decoder = MaskDecoder(model)
        self._prepared: tuple[str, Prepared] | None = None  # of the last View, by its key
        levels = np.arange(256, dtype=np.float32)[:, None] / 255
        self._normalised = (
            ((levels - family.mean) / family.std).astype(np.float32).T
        )  # (3, 256): of each value of a pixel
        self.threads = threads_for(model)
        self._lock = threading.Lock()
        self.embedded = 0  # number of Views that the image encoder has processed

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        name: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        cache: EmbeddingCache | None = None,
    ) -> "Sam2Segmenter":
        """Loads a hub name (facebook/sam2.1-hiera-small) or a folder in transformers' layout.

        `device` and `dtype` "auto": the first accelerator in bfloat16, else the CPU in float32. Raises `model_unavailable`.
        """
        folder = model_folder(str(name_or_folder))
        family = family_of(folder, name or folder.name)
        model = _model(folder, family, device, dtype)
        side = model.config.prompt_encoder_config.image_size
        return cls(
            model,
            name=name or str(name_or_folder),
            digest=weights_digest(folder),
            side=int(side if isinstance(side, int) else side[0]),
            cache=cache or EmbeddingCache(),
            family=family,
        )

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """One embedding per View, from the cache if it has one for the same pixels; small inputs are encoded in batches."""
        keys = [self._key(view) for view in views]
        missing = self._cache.missing(keys)
        uncached = {key: view for key, view in zip(keys, views, strict=True) if key in missing}
        step = max(1, _PIXELS_AT_ONCE // self._side**2)
        fresh: dict[str, Embedding] = {}
        if step > 1:
            for start in range(0, len(uncached), step):
                fresh |= self._embed(dict(list(uncached.items())[start : start + step]))
        return [
            self._cache.get(key, lambda key=key, view=view: fresh.get(key) or self._embed({key: view})[key])  # type: ignore[misc]  # mypy infers no lambda with defaults
            for key, view in zip(keys, views, strict=True)
        ]

    def _key(self, view: View) -> str:
        whole = f"{view.digest()} {view.window} {self.digest} {_PREPROCESSING} {self._side} {self._model.dtype}"
        return hashlib.sha256(whole.encode()).hexdigest()

    def _embed(self, views: Mapping[str, View]) -> dict[str, Embedding]:
        """The embeddings of Views by their keys, in one pass of the image encoder."""
        import torch

        tensor = torch.from_numpy(np.stack([self._pixels(view) for view in views.values()]))
        with self._computing():
            maps = self._encode(tensor.to(self._model.device, self._model.dtype))
            self.embedded += len(views)
        found = {}
        for index, (key, view) in enumerate(views.items()):
            features = {f"level{i}": m[index : index + 1].detach().clone() for i, m in enumerate(maps)}
            found[key] = Embedding(key, view.height, view.width, features, sum(t.nbytes for t in features.values()))
        return found

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """One thread at a time, without gradients, on this segmenter's number of threads."""
        import torch

        with self._lock, torch.inference_mode(), memory_for("segment", self.name), threads(self.threads):
            yield

    def _pixels(self, view: View) -> NDArray[np.float32]:
        """The model's input (3, side, side)."""
        square = np.asarray(Image.fromarray(view.rgb).resize((self._side, self._side), Image.Resampling.BILINEAR))
        return np.stack([values[square[..., band]] for band, values in enumerate(self._normalised)])

    @property
    def device(self) -> Any:
        """The torch device of the model."""
        return self._model.device

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """Masks of all instances. A mask is where the logits are above 0."""
        masks = [EMPTY] * len(instances)
        scores = np.zeros(len(instances), np.float32)
        margins = np.zeros((len(instances), 2), np.float32)
        for places, logits, quality in self.logits(embedding, instances):
            scores[places] = quality.cpu().numpy()
            step = at_once(embedding.height, embedding.width)
            for start in range(0, len(places), step):
                some = places[start : start + step]
                drawn, margins[some] = self._drawn(logits[start : start + step], embedding)
                for place, own in zip(some, drawn, strict=True):
                    masks[place] = own
        return Masks(tuple(masks), scores, embedding.height, embedding.width, margins)

    def _drawn(self, logits: Any, embedding: Embedding) -> tuple[list[Mask], NDArray[np.float32]]:
        """The masks of logits (n, h, w) in the View's pixels, and their margins (n, 2)."""
        import torch

        with self._computing():
            full = enlarged(logits, embedding.height, embedding.width)
            beyond = torch.stack([(full > at).sum((1, 2)) for at in (SURER, LESS_SURE)], 1)
            pixels = (full > 0).cpu().numpy()
        return [Mask.of(own) for own in pixels], beyond.float().cpu().numpy()

    def decode_each(self, embeddings: Sequence[Embedding], instances: Sequence[Instance]) -> list[Masks]:
        """`decode` of each embedding's one instance, many in one pass."""
        own = [
            instance.scaled(self._side / near.width, self._side / near.height)
            for near, instance in zip(embeddings, instances, strict=True)
        ]
        found: dict[int, Masks] = {}
        for group in _by_form(own).values():
            for start in range(0, len(group), self._decoder.at_once):
                places = group[start : start + self._decoder.at_once]
                logits, quality = self._logits_each([embeddings[i] for i in places], [own[i] for i in places])
                for number, place in enumerate(places):
                    near, scores = embeddings[place], quality[number : number + 1].cpu().numpy()
                    drawn, margins = self._drawn(logits[number : number + 1], near)
                    found[place] = Masks(tuple(drawn), scores, near.height, near.width, margins)
        return [found[place] for place in range(len(instances))]

    def _logits_each(self, embeddings: Sequence[Embedding], own: Sequence[Instance]) -> tuple[Any, Any]:
        """Logits and estimates of instances in the model's pixels, of one form, each of its own embedding."""
        import torch

        device, kind = self._model.device, self._model.dtype
        with self._computing():
            levels = range(len(embeddings[0].features))
            maps = [torch.cat([near.features[f"level{i}"] for near in embeddings]).to(device, kind) for i in levels]
            logits, quality = self._decoder.logits(self._decoder.prepare_each(maps), self._prompts(own))
            return logits.float(), quality.float().clamp(0, 1)

    def logits(self, embedding: Embedding, instances: Sequence[Instance]) -> Iterator[tuple[list[int], Any, Any]]:
        """The decoder's logits, few instances at a time: their places in `instances`, logits (n, h, w), estimates of IoU (n,).

        Both are float32 tensors on the model's device; `enlarged` gives the logits of the View's pixels. Instances with the same kind
        of prompt (box or not, number of points) share a call. Different kinds need separate ones: transformers pads points
        with zero vectors that take part in attention, so a mask would depend on the other instances of the call.
        """
        for group in _by_form(instances).values():
            for start in range(0, len(group), self._decoder.at_once):
                places = group[start : start + self._decoder.at_once]
                yield places, *self._logits(embedding, [instances[place] for place in places])

    def _logits(self, embedding: Embedding, instances: list[Instance]) -> tuple[Any, Any]:
        """Logits and estimates of instances that all have a box, or all have none, and as many points."""
        device, kind = self._model.device, self._model.dtype
        own = [i.scaled(self._side / embedding.width, self._side / embedding.height) for i in instances]
        with self._computing():
            prompts = self._prompts(own)
            if self._prepared is None or self._prepared[0] != embedding.key:
                maps = [embedding.features[f"level{i}"].to(device, kind) for i in range(len(embedding.features))]
                self._prepared = embedding.key, self._decoder.prepare(maps)
            logits, quality = self._decoder.logits(self._prepared[1], prompts)
            return logits.float(), quality.float().clamp(0, 1)

    def _prompts(self, own: Sequence[Instance]) -> Any:
        """The tokens (P, T, D) of instances in the model's pixels, all of one form."""
        import torch

        device, kind = self._model.device, self._model.dtype
        listed = [[*i.positive, *i.negative] for i in own]
        labels = [[_POSITIVE] * len(i.positive) + [_NEGATIVE] * len(i.negative) for i in own]
        prompts, _ = self._model.prompt_encoder(
            input_points=torch.tensor(listed, dtype=kind, device=device)[None] if listed[0] else None,
            input_labels=torch.tensor(labels, device=device)[None] if listed[0] else None,
            input_boxes=torch.tensor([i.box for i in own], dtype=kind, device=device)[None] if own[0].box else None,
            input_masks=None,
        )
        return prompts[0]


def _by_form(instances: Sequence[Instance]) -> dict[tuple[bool, int], list[int]]:
    """The places of instances by the kind of their prompt: box or not, number of points."""
    forms: dict[tuple[bool, int], list[int]] = {}
    for index, each in enumerate(instances):
        forms.setdefault((each.box is not None, len(each.positive) + len(each.negative)), []).append(index)
    return forms


def enlarged(logits: Any, height: int, width: int) -> Any:
    """Logits (n, h, w) at the View's size, (n, height, width); `at_once` says how many to enlarge at a time."""
    from torch.nn import functional as F

    return F.interpolate(logits[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]


def family_of(folder: Path, name: str) -> Family:
    """The family of the model in a folder. Raises `model_unavailable` for other models. `name` is for the error."""
    type_ = str(read_settings(folder, "config.json").get("model_type"))
    if type_ not in FAMILIES:
        raise T2SError("model_unavailable", f"{name} is of type {type_!r}", f"Choose one of {', '.join(FAMILIES)}")
    return FAMILIES[type_]


def _model(folder: Path, family: Family, device: str, dtype: str) -> Any:
    where = device_of(device)
    kind = ("float32" if where == "cpu" else "bfloat16") if dtype == "auto" else dtype
    return load_weights(family.kind, folder, device=where, dtype=kind).requires_grad_(False)
