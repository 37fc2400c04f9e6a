"""Opens a Qwen2.5-VL, Qwen3-VL or InternVL checkpoint: model, tokenizer, image processor, and the frame that it writes in.

| family | a square | without |
|---|---|---|
| Qwen2.5-VL | its pixels | pixels of the resized picture |
| Qwen3-VL | 0 to 1000 | 0 to 1000 |
| InternVL | its pixels | 0 to 1000 |

A square is asked for, or written in the folder (as the only area of the image processor, or as `{"square": 896}` in
frame.json), or the paper's, where the folder's name says Think2Seg.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2s_agent.accelerator import Device, DType, device_of, load_weights
from t2s_agent.errors import T2SError
from t2s_agent.prompting.frames import FrameRule, Pixels, Relative, Square, Tiles
from t2s_agent.weights import model_folder, read_settings, weights_bytes

CLASSES = {
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "internvl": "InternVLForConditionalGeneration",
}
PAPERS_SQUARE = {"qwen2_5_vl": 840, "internvl": 896}  # px; what Think2Seg-RS's weights were trained on
FRAME_FILE = "frame.json"
MAX_PICTURE = 2048 * 2048  # px; 5,000 tokens for Qwen2.5-VL. Its own limit is three times that
BIG = 2 * 2**30  # bytes of weights above which a CPU, too, gets bfloat16


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """An opened checkpoint: transformers' model (in eval mode), its tokenizer and pillow image processor."""

    name: str
    folder: Path
    model: Any
    tokenizer: Any
    patches: Any
    rule: FrameRule


def open_checkpoint(
    name: str,
    *,
    device: Device = "auto",
    dtype: DType = "auto",
    square: int | None = None,
    revision: str | None = None,
    attention: str | None = None,
) -> Checkpoint:
    """Opens a checkpoint by hub name or folder; see `TransformersPrompter.load` for the options and errors.

    `revision` is a branch, tag or commit on the hub, `attention` one of transformers' implementations, by default its own choice.
    """
    folder = model_folder(name, revision)
    family = family_of(name, folder)
    patches = _tiles(folder) if family == "internvl" else _patches(folder)
    rule = _rule(family, patches, square or _square_of(name, family, folder, patches))
    model = _model(folder, family, device, dtype, attention)
    _require_same_patches(name, model, patches)
    return Checkpoint(name, folder, model, _tokenizer(folder, model.config.image_token_id), patches, rule)


def family_of(name: str, folder: Path) -> str:
    """The model type of a checkpoint's folder. Raises `model_unavailable` where there is none, or none of `CLASSES`."""
    family = str(read_settings(folder, "config.json").get("model_type"))
    if family not in CLASSES:
        raise T2SError(
            "model_unavailable",
            f"{name} is of type {family!r}",
            "Choose its variant in transformers' layout, whose name ends in -hf"
            if family == "internvl_chat"
            else f"Choose a checkpoint of {' or '.join(CLASSES)}, or serve it and give its URL",
        )
    return family


def _rule(family: str, patches: Any, square: int | None) -> FrameRule:
    factor = patches.size["height"] if family == "internvl" else patches.patch_size * patches.merge_size
    if square is not None and (square < factor or square % factor):
        raise T2SError(
            "argument_invalid", f"a square of {square} px", f"Choose a multiple of {factor} px for this model"
        )
    if family == "internvl":
        if square is not None and (square // factor) ** 2 > patches.max_patches:
            raise T2SError(
                "argument_invalid",
                f"a square of {square} px has more than the {patches.max_patches} tiles of {factor} px that this model takes",
                f"Choose at most {math.isqrt(patches.max_patches) * factor} px",
            )
        return Square(square) if square else Tiles(factor, patches.min_patches, patches.max_patches)
    least, most = patches.size["shortest_edge"], min(patches.size["longest_edge"], MAX_PICTURE)
    if family == "qwen3_vl":
        return Relative(factor, least, most, square)
    return Square(square) if square else Pixels(factor, least, most)


def _square_of(name: str, family: str, folder: Path, patches: Any) -> int | None:
    """Returns the side of the square a checkpoint was trained on: the folder's own, or the paper's."""
    if (folder / FRAME_FILE).exists():
        square = read_settings(folder, FRAME_FILE).get("square")
        if not isinstance(square, int):
            raise T2SError(
                "model_unavailable", f"{folder.name}/{FRAME_FILE} has no square in px", "Save the model again"
            )
        return square
    if family != "internvl":
        least, most = patches.size["shortest_edge"], patches.size["longest_edge"]
        side = math.isqrt(least)
        if least == most == side * side and side % (patches.patch_size * patches.merge_size) == 0:
            return side
    return PAPERS_SQUARE.get(family) if "think2seg" in Path(name).name.casefold() else None


def _patches(folder: Path) -> Any:
    """Returns the pillow image processor with the folder's settings."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    settings = _image_settings(folder)
    names = ("patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std", "min_pixels", "max_pixels")
    chosen = {key: settings[key] for key in names if settings.get(key) is not None}
    if {"shortest_edge", "longest_edge"} <= set(settings.get("size") or ()):
        chosen["size"] = {key: settings["size"][key] for key in ("shortest_edge", "longest_edge")}
    return Qwen2VLImageProcessorPil(**chosen)


def _tiles(folder: Path) -> Any:
    """Returns InternVL's pillow image processor, which cuts square tiles and adds a thumbnail where there are several."""
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    settings = _image_settings(folder)
    names = ("size", "min_patches", "max_patches", "image_mean", "image_std")
    tiles = GotOcr2ImageProcessorPil(**{key: settings[key] for key in names if settings.get(key) is not None})
    if tiles.size["height"] != tiles.size["width"]:
        raise T2SError(
            "model_unavailable", f"the tiles of {folder.name} are not square", "Use the settings published with it"
        )
    return tiles


def _image_settings(folder: Path) -> dict[str, Any]:
    if (folder / "preprocessor_config.json").exists():
        return read_settings(folder, "preprocessor_config.json")
    settings = read_settings(folder, "processor_config.json").get("image_processor", {})  # as transformers 5 saves it
    return settings if isinstance(settings, dict) else {}


def _tokenizer(folder: Path, image_token_id: int) -> Any:
    """The folder's tokenizer.json as it is; transformers' AutoTokenizer would rebuild it by the rules of its model type."""
    from transformers import PreTrainedTokenizerFast

    read_settings(folder, "tokenizer.json")  # a damaged one raises a bare Exception in the tokenizers library
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    if tokenizer.chat_template is None and (folder / "chat_template.json").exists():  # as transformers 4 saved it
        tokenizer.chat_template = read_settings(folder, "chat_template.json").get("chat_template")
    if tokenizer.chat_template is None or image_token_id >= len(tokenizer):
        raise T2SError(
            "model_unavailable",
            f"the tokenizer of {folder.name} has no chat template or no image token",
            "Save the model's processor into its folder",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _require_same_patches(name: str, model: Any, patches: Any) -> None:
    """Raises `model_unavailable` where the image processor's settings belong to another model."""
    vision = model.config.vision_config
    if model.config.model_type == "internvl":
        reads, cuts = list(vision.image_size), [patches.size["height"], patches.size["width"]]
    else:
        reads = [vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size]
        cuts = [patches.patch_size, patches.merge_size, patches.temporal_patch_size]
    if reads != cuts:
        raise T2SError(
            "model_unavailable",
            f"the image processor of {name} cuts patches of {cuts}, its model reads {reads}: the frame would be wrong",
            "Use the preprocessor_config.json that was published with the checkpoint",
        )


def _model(folder: Path, family: str, device: Device, dtype: DType, attention: str | None) -> Any:
    where = device_of(device)
    if dtype == "auto":
        dtype = "float32" if where == "cpu" and weights_bytes(folder) < BIG else "bfloat16"
    return load_weights(CLASSES[family], folder, device=where, dtype=dtype, attention=attention)
