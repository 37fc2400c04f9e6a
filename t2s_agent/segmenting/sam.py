"""The first Segment Anything Model, from its own package and checkpoint files (ViT-B, -L, -H)."""

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
    """A `segment_anything.Sam`. Its frame: the View scaled so that the longer side fits its square, padded below and right."""

    def __init__(self, sam: Any, *, name: str, digest: str, cache: EmbeddingCache) -> None:
        self.name, self.digest = name, digest
        self._sam, self._cache = sam, cache
        self._side = int(sam.image_encoder.img_size)
        self.threads = threads_for(sam)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, checkpoint: Path, *, device: str = "auto", cache: EmbeddingCache | None = None) -> "SamSegmenter":
        """Loads a checkpoint; its size is read off the weights. Raises `model_unavailable`."""
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
                f"{checkpoint.name} is no checkpoint of segment-anything that can be read",
                "Give a sam_vit_b, sam_vit_l or sam_vit_h .pth file",
            ) from error
        with checkpoint.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        sam.to(device_of(device)).eval()
        return cls(sam, name=checkpoint.name, digest=digest, cache=cache or EmbeddingCache())

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """One embedding a View, from the cache where the same pixels were seen before."""
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
        """All instances of one form (box or none, so many points) in one call; masks are logits above 0."""
        masks = [EMPTY] * len(instances)
        scores = np.zeros(len(instances), np.float32)
        margins = np.zeros((len(instances), 2), np.float32)
        forms: dict[tuple[bool, int], list[int]] = {}
        for index, each in enumerate(instances):
            forms.setdefault((each.box is not None, len(each.positive) + len(each.negative)), []).append(index)
        for group in forms.values():
            for start in range(0, len(group), _AT_ONCE):
                part = group[start : start + _AT_ONCE]
                drawn, scores[part], margins[part] = self._decode(embedding, [instances[i] for i in part])
                for index, mask in zip(part, drawn, strict=True):
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
    """segment-anything's own table of its models.

    Its package imports its predictor and mask generator at once, and those torchvision, which we have no other use for. The models
    themselves need torch alone, so they are imported as if the package's front door did nothing.
    """
    name = "segment_anything"
    if name not in sys.modules:
        found = importlib.util.find_spec(name)
        if found is None or found.submodule_search_locations is None:
            raise T2SError("model_unavailable", "segment-anything is not installed", "pip install segment-anything")
        hollow = ModuleType(name)
        hollow.__path__ = list(found.submodule_search_locations)
        sys.modules[name] = hollow
        try:
            importlib.import_module(f"{name}.build_sam")
        finally:
            del sys.modules[name]  # whoever imports it after us gets all of it
    registry: dict[str, Any] = sys.modules[f"{name}.build_sam"].sam_model_registry
    return registry
