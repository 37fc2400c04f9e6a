"""Recognises pictures that are no overhead imagery, from their pixels alone: blank ones, noise, drawings (maps, screenshots).

Thresholds were chosen on the training images of iSAID and of the land cover data, so that none of them has a remark, and are
measured on others by `python -m evals.not_overhead`. A remark hides nothing: it says how far an answer can be trusted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from t2s_agent.scene.view import View

Kind = Literal["blank", "noise", "drawing"]
Pixels = NDArray[np.uint8]  # (H, W, 3)
Valid = NDArray[np.bool_]  # (H, W)
T = TypeVar("T", bound=np.generic)

REMARKS: dict[Kind, str] = {
    "blank": "this picture has no texture, as if it were blank: nothing can be recognised in it, and regions in it are not to be trusted",
    "noise": "this picture looks like noise, not like an overhead image: neighbouring pixels have nothing in common, and regions in it "
    "are not to be trusted",
    "drawing": "this looks like a map, a drawing or a screenshot, not like an overhead image: large areas have exactly one colour, and "
    "regions in it are not to be trusted",
}

_LEAST_PX = 4_096  # of pixels with data: fewer say nothing
_MOST = 1024  # px: of a larger picture the middle of this size is judged, at the same scale
_BLOCK = 16  # px
_FAR = (9, 13, 17, 24)  # px, at which noise has no correlation, also noise that was stored as JPEG (blocks of 8)
_FLAT_STD = 1.0  # of the luminance in a block without its slope, in levels of 255: a block with less has no texture
_NO_COLOUR = 1 << 24  # of a pixel without data
_FEW = 16  # colours
_EDGE = 40  # levels of luminance from pixel to pixel

# Beside each: the nearest value among the training images
_BLANK_TEXTURELESS = 0.98  # 0.948, a harbour basin
_NOISE_NEAR_R, _NOISE_FAR_R = 0.5, 0.04  # 0.604 and 0.048
_DRAWING_FLAT, _DRAWING_NEAR_FLAT = 0.35, 0.65  # water stored as JPEG has more of both, without edges
_DRAWING_FEW = 0.5
_DRAWING_EDGES = 0.006  # 0.0026 among those with so much that is flat


@dataclass(frozen=True, slots=True)
class Traits:
    """What decides about a picture.

    `textureless`: share of blocks without texture. `near_r`, `far_r`: correlation of the luminance of pixels at 1 px and at 9 to
    24 px, in the direction where it is larger. `flat`: share of pixels that have exactly the colour of their neighbours;
    `near_flat`: share at most 8 px from one; `few`: share of the flat pixels in their 16 most frequent colours. `edges`: share of
    pixels at a strong edge.
    """

    textureless: float
    near_r: float
    far_r: float
    flat: float
    near_flat: float
    few: float
    edges: float

    @property
    def kind(self) -> Kind | None:
        """What the picture is; None for what may be an overhead image."""
        if self.textureless >= _BLANK_TEXTURELESS:
            return "blank"
        if self.near_r < _NOISE_NEAR_R and self.far_r < _NOISE_FAR_R:
            return "noise"
        flat = self.flat >= _DRAWING_FLAT and self.near_flat >= _DRAWING_NEAR_FLAT and self.few >= _DRAWING_FEW
        return "drawing" if flat and self.edges >= _DRAWING_EDGES else None


def about_picture(view: View) -> list[str]:
    """A warning where a picture is no overhead image; none for other pictures, and where too few pixels have data."""
    traits = traits_of(view.rgb, view.valid)
    return [REMARKS[traits.kind]] if traits is not None and traits.kind else []


def among(warnings: Iterable[str]) -> tuple[str, ...]:
    """Those of a result's warnings that say that its picture is no overhead image."""
    return tuple(each for each in warnings if each in REMARKS.values())


def traits_of(rgb: Pixels, valid: Valid) -> Traits | None:
    """The traits of a picture; None where too few pixels have data. A large picture is judged by its middle."""
    top, left = (max(0, (size - _MOST) // 2) for size in valid.shape)
    rgb, valid = rgb[top : top + _MOST, left : left + _MOST], valid[top : top + _MOST, left : left + _MOST]
    known = np.count_nonzero(valid)
    if known < _LEAST_PX:
        return None
    grey = rgb.mean(-1, dtype=np.float32)
    colours = _colours(rgb, valid)
    flat = _flat(colours, valid)
    return Traits(
        textureless=_textureless(grey, valid),
        near_r=max(_correlation(grey, valid, 1, axis) for axis in (0, 1)),
        far_r=max(sum(abs(_correlation(grey, valid, lag, axis)) for lag in _FAR) / len(_FAR) for axis in (0, 1)),
        flat=np.count_nonzero(flat) / known,
        near_flat=np.count_nonzero(_within_8(flat) & valid) / known,
        few=_few(colours[flat]),
        edges=np.count_nonzero(_edges(grey) & valid) / known,
    )


def _textureless(grey: NDArray[np.float32], valid: Valid) -> float:
    """The share of whole blocks with data whose luminance is a plane: at most noise is left of it without its slope."""
    height, width = (size // _BLOCK * _BLOCK for size in grey.shape)
    if not height or not width:
        return 0.0
    shape = height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK
    whole = valid[:height, :width].reshape(shape).all((1, 3))
    if not whole.any():
        return 0.0
    values = grey[:height, :width].reshape(shape).swapaxes(1, 2)[whole]
    values = values - values.mean((1, 2), keepdims=True)
    ramp = np.arange(_BLOCK, dtype=np.float32) - (_BLOCK - 1) / 2
    norm = float((ramp**2).sum()) * _BLOCK**3
    left = (values**2).mean((1, 2)) - (values.sum(1) @ ramp) ** 2 / norm - (values.sum(2) @ ramp) ** 2 / norm
    return float(np.mean(left < _FLAT_STD**2))


def _correlation(grey: NDArray[np.float32], valid: Valid, lag: int, axis: int) -> float:
    """The correlation of pixels at a distance; 1 where they do not vary."""
    if grey.shape[axis] <= lag:
        return 1.0
    first, second = _shifted(grey, lag, axis)
    both = np.logical_and(*_shifted(valid, lag, axis))
    a, b = (first.ravel(), second.ravel()) if both.all() else (first[both], second[both])
    if a.size < 2:
        return 1.0
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 1e-3 * a.size else 1.0


def _shifted(values: NDArray[T], by: int, axis: int) -> tuple[NDArray[T], NDArray[T]]:
    """The parts of an array that lie over each other when it is shifted: without its last rows or columns, and without its first."""
    return (values[:-by], values[by:]) if axis == 0 else (values[:, :-by], values[:, by:])


def _colours(rgb: Pixels, valid: Valid) -> NDArray[np.uint32]:
    """A number for each colour."""
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    return np.where(valid, (red << 16) | (green << 8) | blue, np.uint32(_NO_COLOUR))


def _few(colours: NDArray[np.uint32]) -> float:
    """The share of the most frequent colours."""
    if not colours.size:
        return 0.0
    counts = np.sort(np.unique(colours, return_counts=True)[1])
    return float(counts[-_FEW:].sum()) / colours.size


def _flat(colours: NDArray[np.uint32], valid: Valid) -> Valid:
    """Pixels that have, as all their eight neighbours, data and one colour. Those at the edge of the picture are none."""
    same = valid
    for axis in (0, 1):  # three in a row, then three such rows
        before, after = _shifted(colours, 1, axis)
        equal = before == after
        inner = np.logical_and(*_shifted(equal, 1, axis)) & np.logical_and(*_shifted(same, 2, axis))
        grown = np.zeros_like(valid)
        grown[(slice(1, -1), slice(None)) if axis == 0 else (slice(None), slice(1, -1))] = inner
        same = grown
    return same & valid


def _within_8(there: Valid) -> Valid:
    """Pixels at most 8 rows and columns from one of those."""
    found = there
    for axis in (0, 1):
        for step in (1, 2, 4, 1):
            grown = found.copy()
            low, high = _shifted(grown, step, axis)
            before, after = _shifted(found, step, axis)
            low |= after
            high |= before
            found = grown
    return found


def _edges(grey: NDArray[np.float32]) -> Valid:
    """Pixels that differ much from the one to the left or above."""
    edges = np.zeros(grey.shape, bool)
    for axis in (0, 1):
        before, after = _shifted(grey, 1, axis)
        _shifted(edges, 1, axis)[1][...] |= np.abs(after - before) > _EDGE
    return edges
