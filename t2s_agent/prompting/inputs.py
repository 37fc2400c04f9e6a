"""Builds a checkpoint's inputs from pictures and chats, always in the same way, in serving and in training.

A picture is resized with pillow as the checkpoint's frame rule says, cut into patches or tiles by transformers' pillow image
processor, and the one image token of the chat template is repeated for all that the picture takes. So the frame of the
answers is known exactly, and torchvision, which transformers' own processors require, is not needed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.prompting.checkpoint import Checkpoint
from t2s_agent.prompting.frames import FrameRule, Size, Square
from t2s_agent.prompting.style import PromptStyle
from t2s_agent.scene.view import View

_CONTROL = re.compile(r"<(?=\||/?img>|IMG_CONTEXT>)")  # before Qwen's and InternVL's control tokens


@dataclass(frozen=True, slots=True)
class Pixels:
    """Pictures as the model takes them, and for each picture the text that replaces its image token in the chat."""

    tensors: dict[str, Any]
    texts: tuple[str, ...]


class InputBuilder:
    """Builds the inputs of one checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.rule = checkpoint.rule
        self.image_token_id: int = checkpoint.model.config.image_token_id
        self.image_token: str = checkpoint.tokenizer.convert_ids_to_tokens(self.image_token_id)
        self._name = checkpoint.name
        self._tokenizer = checkpoint.tokenizer
        self._patches = checkpoint.patches
        self._dtype = checkpoint.model.dtype
        config = checkpoint.model.config
        self._tiles: int = config.image_seq_length if config.model_type == "internvl" else 0  # tokens of a tile

    def build(self, views: Sequence[View], chats: Sequence[list[dict[str, Any]]]) -> dict[str, Any]:
        """Returns the inputs for chats of one picture each: ids (B, L) padded left, their mask and types, and the pictures."""
        pixels = self.pixels([picture_of(view) for view in views])
        texts = [
            self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats
        ]
        for text in texts:
            if text.count(self.image_token) != 1:
                raise T2SError(
                    "model_unavailable",
                    f"the chat template of {self._name} has {text.count(self.image_token)} images instead of one",
                    "Use the checkpoint's own chat_template.jinja, as saved with its processor",
                )
        return {**self.tokens(self.expanded(texts, pixels)), **pixels.tensors}

    def pixels(self, pictures: Sequence[Image.Image]) -> Pixels:
        """Returns pictures as the model takes them, resized by the frame rule, in the model's dtype.

        Qwen's are patches (N, D) with grids (B, 3), InternVL's tiles (N, 3, H, W), for each picture in rows from its upper
        left, the last one a thumbnail of the whole.
        """
        sizes = [self.rule.picture(Size(picture.width, picture.height)) for picture in pictures]
        return (self._tiled if self._tiles else self._patched)(pictures, sizes)

    def resized(self, picture: Image.Image) -> Image.Image:
        """Returns a picture in the size in which the model sees it; where the processor makes tiles of any picture, as it is."""
        if self._tiles and not isinstance(self.rule, Square):
            return picture
        return _resized(picture, self.rule.picture(Size(picture.width, picture.height)), self.rule)

    def counts(self, pictures: Sequence[Image.Image]) -> list[int]:
        """Returns the number of tiles of each picture, the thumbnail included; of Qwen's, which has none, 1."""
        if not self._tiles:
            return [1] * len(pictures)
        sizes = [self.rule.picture(Size(picture.width, picture.height)) for picture in pictures]
        return [_tiles_of(size, self._patches.size["height"]) for size in sizes]

    def tokens_of(self, pixel_values: Any) -> int:
        """Returns how many image tokens these pixels take."""
        return len(pixel_values) * self._tiles if self._tiles else len(pixel_values) // self._patches.merge_size**2

    def _patched(self, pictures: Sequence[Image.Image], sizes: Sequence[Size]) -> Pixels:
        resized = [_resized(picture, size, self.rule) for picture, size in zip(pictures, sizes, strict=True)]
        made = self._patches(images=resized, do_resize=False, return_tensors="pt")
        cell, merged = self._patches.patch_size, self._patches.merge_size**2
        expected = [[1, size.height // cell, size.width // cell] for size in sizes]
        _require_frame(made["image_grid_thw"].tolist(), expected)
        return Pixels(
            {"pixel_values": made["pixel_values"].to(self._dtype), "image_grid_thw": made["image_grid_thw"]},
            tuple(self.image_token * (rows * columns // merged) for _, rows, columns in expected),
        )

    def _tiled(self, pictures: Sequence[Image.Image], sizes: Sequence[Size]) -> Pixels:
        """Only a square is resized before: the processor makes thumbnails from what it is given."""
        if isinstance(self.rule, Square):
            pictures = [_resized(picture, size, self.rule) for picture, size in zip(pictures, sizes, strict=True)]
        made = self._patches(images=list(pictures), crop_to_patches=True, return_tensors="pt")
        expected = [_tiles_of(size, self._patches.size["height"]) for size in sizes]
        _require_frame(made["num_patches"].tolist(), expected)
        return Pixels(
            {"pixel_values": made["pixel_values"].to(self._dtype)},
            tuple(f"<img>{self.image_token * (self._tiles * count)}</img>" for count in expected),
        )

    def expanded(self, texts: Sequence[str], pixels: Pixels) -> list[str]:
        """Returns chats with each image token replaced by the text of its picture, in order; their numbers have to agree."""
        found = sum(text.count(self.image_token) for text in texts)
        if found != len(pixels.texts):
            raise T2SError(
                "argument_invalid",
                f"{found} image tokens in the chats of {self._name}, and {len(pixels.texts)} pictures",
                "Give one picture for each image of the chats, and no image token inside their text",
            )
        pictures = iter(pixels.texts)
        return [_replaced(text, self.image_token, pictures) for text in texts]

    def tokens(self, texts: Sequence[str]) -> dict[str, Any]:
        """Returns `input_ids` (B, L) padded left, `attention_mask`, and for Qwen `mm_token_type_ids` (1: image)."""
        import torch

        made = self._tokenizer(
            list(texts), padding=True, padding_side="left", add_special_tokens=False, return_tensors="pt"
        )
        inputs = {"input_ids": made["input_ids"], "attention_mask": made["attention_mask"]}
        if not self._tiles:
            inputs["mm_token_type_ids"] = (made["input_ids"] == self.image_token_id).to(torch.int32)
        return inputs


def chat_of(style: PromptStyle, question: str) -> list[dict[str, Any]]:
    """Returns the messages that ask for a question's objects: the system's, then the user's with the image first."""
    content = [{"type": "image"}, {"type": "text", "text": style.user(plain(question))}]
    return [{"role": "system", "content": style.system}, {"role": "user", "content": content}]


def visual_tokens(config: Any) -> list[int]:
    """Returns the ids of the tokens that stand for pictures, which a model must never write."""
    ids = (getattr(config, name, None) for name in ("image_token_id", "video_token_id"))
    return [each for each in ids if each is not None]


def plain(question: str) -> str:
    """Returns a question as one line without anything that could be a control token of a chat template."""
    return " ".join(_CONTROL.sub("< ", question).split())


def picture_of(view: View) -> Image.Image:
    """Returns a View's pixels as a picture."""
    return Image.fromarray(np.ascontiguousarray(view.rgb))


def _tiles_of(size: Size, side: int) -> int:
    """Returns the number of tiles of a picture; several have a thumbnail beside them."""
    tiles = (size.width // side) * (size.height // side)
    return tiles + 1 if tiles > 1 else 1


def _require_frame(made: list[Any], expected: list[Any]) -> None:
    if made != expected:
        raise RuntimeError(f"image grids {made} are not {expected}: the frame would be wrong")


def _resized(picture: Image.Image, size: Size, rule: FrameRule) -> Image.Image:
    """Returns the resized picture: LANCZOS for the paper's square, as in its loader, else BICUBIC, as in Qwen's processor."""
    how = Image.Resampling.LANCZOS if isinstance(rule, Square) else Image.Resampling.BICUBIC
    return picture if picture.size == (size.width, size.height) else picture.resize((size.width, size.height), how)


def _replaced(text: str, token: str, pictures: Iterator[str]) -> str:
    first, *rest = text.split(token)
    return first + "".join(next(pictures) + part for part in rest)
