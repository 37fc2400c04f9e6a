"""Segments with the first Segment Anything Model, from its package and checkpoint files (ViT-B, -L, -H)."""

import hashlib
import importlib
import importlib.util
import pickle
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from t2s_agent.accelerator import device_of, memory_for
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import EMPTY, Mask
from t2s_agent.scene.view import View
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.segmenter import LESS_SURE, SURER, Embedding, Masks, at_once
from t2s_agent.threads import threads, threads_for

_DEPTHS = {12: "vit_b", 24: "vit_l", 32: "vit_h"}
_AT_ONCE = 32


class SamSegmenter:
    """A `segment_anything.Sam`. Its input is a square: the View, scaled to fit, padded below and on the right."""

    def __init__(self, sam: Any, *, name: str, digest: str, cache: EmbeddingCache) -> None:
        self.name, self.digest = name, digest
        self._sam, self._cache = sam, cache
        self._side = int(sam.image_encoder.img_size)
        self.threads = threads_for(sam)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, checkpoint: Path, *, device: str = "auto", cache: EmbeddingCache | None = None) -> "SamSegmenter":
        """Loads a checkpoint; the model size is detected from the weights. Raises `model_unavailable`."""
        import torch

        existing(checkpoint)
        sam_model_registry = _registry()
        try:
            weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
            depth = 1 + max(int(key.split(".")[2]) for key in weights if key.startswith("image_encoder.blocks."))
            sam = sam_model_registry[_DEPTHS[depth]]()
            sam.load_state_dict(weights)
        except (
            OSError,
            RuntimeError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            pickle.UnpicklingError,
        ) as error:
            raise T2SError(
                "model_unavailable",
                f"{checkpoint.name} is not a readable checkpoint of segment-anything",
                "Give a sam_vit_b, sam_vit_l or sam_vit_h .pth file",
            ) from error
        with checkpoint.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        sam.to(device_of(device)).eval()
        return cls(sam, name=checkpoint.name, digest=digest, cache=cache or EmbeddingCache())

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """One embedding per View, from the cache if it has one for the same pixels."""
        return [self._cache.get(self._key(view), partial(self._embed, view)) for view in views]

    def _key(self, view: View) -> str:
        return hashlib.sha256(f"{view.digest()} {view.window} {self.digest} sam-1".encode()).hexdigest()

    def _scale(self, height: int, width: int) -> float:
        return self._side / max(height, width)

    def _embed(self, view: View) -> Embedding:
        import torch

        scale = self._scale(view.height, view.width)
        size = (round(view.width * scale), round(view.height * scale))
        pixels = np.asarray(Image.fromarray(view.rgb).resize(size, Image.Resampling.BILINEAR))
        tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).to(self._sam.device)
        with self._lock, torch.inference_mode(), memory_for("segment", self.name), threads(self.threads):
            features = self._sam.image_encoder(self._sam.preprocess(tensor[None].float())).clone()
        return Embedding(self._key(view), view.height, view.width, {"image": features}, features.nbytes)

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """Masks of all instances. Those with the same kind of prompt (box or not, number of points) share a call; a mask is logits > 0."""
        masks = [EMPTY] * len(instances)
        scores = np.zeros(len(instances), np.float32)
        margins = np.zeros((len(instances), 2), np.float32)
        forms: dict[tuple[bool, int], list[int]] = {}
        for index, each in enumerate(instances):
            forms.setdefault((each.box is not None, len(each.positive) + len(each.negative)), []).append(index)
        for group in forms.values():
            for start in range(0, len(group), _AT_ONCE):
                part = group[start : start + _AT_ONCE]
                part_masks, scores[part], margins[part] = self._decode(embedding, [instances[i] for i in part])
                for index, mask in zip(part, part_masks, strict=True):
                    masks[index] = mask
        return Masks(tuple(masks), scores, embedding.height, embedding.width, margins)

    def _decode(self, embedding: Embedding, instances: list[Instance]) -> tuple[list[Mask], Any, Any]:
        import torch

        sam = self._sam
        scale = self._scale(embedding.height, embedding.width)
        own = [i.scaled(scale, scale) for i in instances]
        device = sam.device
        listed = [[*i.positive, *i.negative] for i in own]
        points = None
        if listed[0]:
            labels = [[1] * len(i.positive) + [0] * len(i.negative) for i in own]
            points = (torch.tensor(listed, device=device), torch.tensor(labels, device=device))
        boxes = torch.tensor([i.box for i in own], device=device) if own[0].box else None
        with self._lock, torch.inference_mode(), memory_for("segment", self.name), threads(self.threads):
            sparse, dense = sam.prompt_encoder(points=points, boxes=boxes, masks=None)
            low, quality = sam.mask_decoder(
                image_embeddings=embedding.features["image"].to(device),
                image_pe=sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            inner = (round(embedding.height * scale), round(embedding.width * scale))
            size = (embedding.height, embedding.width)
            masks: list[Mask] = []
            margins = []
            for few in low.split(at_once(max(self._side, size[0]), max(self._side, size[1]))):
                full = sam.postprocess_masks(few, inner, size)[:, 0]
                masks += [Mask.of(each) for each in (full > sam.mask_threshold).cpu().numpy()]
                margins.append(
                    torch.stack([(full > sam.mask_threshold + at).sum((1, 2)) for at in (SURER, LESS_SURE)], 1)
                )
        return masks, quality[:, 0].clamp(0, 1).cpu().numpy(), torch.cat(margins).float().cpu().numpy()


def existing(checkpoint: Path) -> None:
    """Raises `model_unavailable` where there is no such file."""
    if not checkpoint.is_file():
        raise T2SError(
            "model_unavailable", f"there is no file {checkpoint.name}", "Give a sam_vit_b, _l or _h .pth file"
        )


def _registry() -> dict[str, Any]:
    """segment-anything's table of its models.

    The package's __init__ imports its predictor and mask generator, and these import torchvision, which is not needed here. The
    models need only torch, so they are imported with an empty __init__.
    """
    name = "segment_anything"
    if name not in sys.modules:
        found = importlib.util.find_spec(name)
        if found is None or found.submodule_search_locations is None:
            raise T2SError("model_unavailable", "segment-anything is not installed", "pip install segment-anything")
        empty = ModuleType(name)
        empty.__path__ = list(found.submodule_search_locations)
        sys.modules[name] = empty
        try:
            importlib.import_module(f"{name}.build_sam")
        finally:
            del sys.modules[name]  # a later import gets the complete package
    registry: dict[str, Any] = sys.modules[f"{name}.build_sam"].sam_model_registry
    return registry
