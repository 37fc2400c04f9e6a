"""Runs the vision tower once for each picture that several questions are about, in one call or one after the other."""

import hashlib
import inspect
from collections import OrderedDict
from typing import Any

_KEPT = 8  # pictures; nano's features of one take 0.2 MB


class Looks:
    """The features of the last pictures of a model that does not change. Used by one thread at a time."""

    def __init__(self, model: Any) -> None:
        self._backbone = model.model
        self._kept: OrderedDict[str, Any] = OrderedDict()  # by content: the picture's part of what the tower returns
        self.made = 0  # pictures that the tower has seen

    @staticmethod
    def fit(model: Any) -> bool:
        """Whether the model takes the features of pictures in place of the pictures."""
        return "mm_encoder_outputs" in inspect.signature(model.forward).parameters

    def of(self, patches: Any, grids: Any) -> dict[str, Any]:
        """The argument `mm_encoder_outputs` for pictures with these patches (N, D) and grids (B, 3)."""
        pictures = patches.split(grids.prod(-1).tolist())
        keys = [_key(picture, grid) for picture, grid in zip(pictures, grids, strict=True)]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        for key, picture, grid in zip(keys, pictures, grids, strict=True):
            if key not in found:
                found[key] = self._backbone.get_image_features(picture, grid[None], return_dict=True)
                self.made += 1
        for key in keys:
            self._kept[key] = found[key]
            self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return {"image": _together([found[key] for key in keys])}


def _key(picture: Any, grid: Any) -> str:
    return hashlib.sha256(repr(grid.tolist()).encode() + picture.numpy().tobytes()).hexdigest()


def _together(outputs: list[Any]) -> Any:
    """The outputs of one picture each as the output of all."""
    whole = type(outputs[0])(**outputs[0])
    whole.pooler_output = [output.pooler_output[0] for output in outputs]
    levels = zip(*(output.deepstack_features or () for output in outputs), strict=True)
    whole.deepstack_features = [[feature for [feature] in level] for level in levels]
    return whole
