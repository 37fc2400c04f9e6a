"""Builds a checkpoint's inputs from pictures and chats, always in the same way, in serving and in training.

A picture is resized with pillow as the checkpoint's frame rule says, cut into patches by transformers' pillow image processor,
and the one image token of the chat template is repeated for every merged patch. So the frame of the answers is known
exactly, and torchvision, which transformers' own processors require, is not needed.
"""

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
        """Returns resized pictures as patches (N, D), in the model's dtype, with their grids (B, 3) as `image_grid_thw`."""
        sizes = [self.rule.picture(Size(picture.width, picture.height)) for picture in pictures]
        resized = [_resized(picture, size, self.rule) for picture, size in zip(pictures, sizes, strict=True)]
        made = self._patches(images=resized, do_resize=False, return_tensors="pt")
        cell, merged = self._patches.patch_size, self._patches.merge_size**2
        expected = [[1, size.height // cell, size.width // cell] for size in sizes]
        if made["image_grid_thw"].tolist() != expected:
            raise RuntimeError(
                f"image grids {made['image_grid_thw'].tolist()} are not {expected}: the frame would be wrong"
            )
        return Pixels(
            {"pixel_values": made["pixel_values"].to(self._dtype), "image_grid_thw": made["image_grid_thw"]},
            tuple(self.image_token * (rows * columns // merged) for _, rows, columns in expected),
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
        """Returns `input_ids` (B, L) padded left, `attention_mask`, and `mm_token_type_ids` (1: image)."""
        import torch

        made = self._tokenizer(
            list(texts), padding=True, padding_side="left", add_special_tokens=False, return_tensors="pt"
        )
        return {
            "input_ids": made["input_ids"],
            "attention_mask": made["attention_mask"],
            "mm_token_type_ids": (made["input_ids"] == self.image_token_id).to(torch.int32),
        }


def chat_of(style: PromptStyle, question: str) -> list[dict[str, Any]]:
    """Returns the messages that ask for a question's objects: the system's, then the user's with the image first."""
    content = [{"type": "image"}, {"type": "text", "text": style.user(plain(question))}]
    return [{"role": "system", "content": style.system}, {"role": "user", "content": content}]


def plain(question: str) -> str:
    """Returns a question as one line without anything that could be a control token of a chat template."""
    return " ".join(question.replace("<|", "< |").split())


def picture_of(view: View) -> Image.Image:
    """Returns a View's pixels as a picture."""
    return Image.fromarray(np.ascontiguousarray(view.rgb))


def _resized(picture: Image.Image, size: Size, rule: FrameRule) -> Image.Image:
    """Returns the resized picture: LANCZOS for the paper's square, as in its loader, else BICUBIC, as in Qwen's processor."""
    how = Image.Resampling.LANCZOS if isinstance(rule, Square) else Image.Resampling.BICUBIC
    return picture if picture.size == (size.width, size.height) else picture.resize((size.width, size.height), how)


def _replaced(text: str, token: str, pictures: Iterator[str]) -> str:
    first, *rest = text.split(token)
    return first + "".join(next(pictures) + part for part in rest)
