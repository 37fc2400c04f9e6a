"""The processor that TRL calls: the product's own inputs (t2s_agent.prompting.inputs), in the form of transformers' processors.

What the model is trained on is so what it is served: the same pixels, the same tokens, the same frame.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from transformers import BatchFeature, ImageProcessingMixin, PreTrainedTokenizerBase, ProcessorMixin

from t2s_agent.errors import T2SError
from t2s_agent.prompting.checkpoint import FRAME_FILE, Checkpoint
from t2s_agent.prompting.frames import FrameRule, Size, Square
from t2s_agent.prompting.inputs import InputBuilder
from t2s_agent.weights import read_settings

# what a folder holds beside weights and config.json, as published; the trainer saves those two itself
_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "vocabulary.json",
    FRAME_FILE,
)


class FramedImages(ImageProcessingMixin):
    """Makes pixels of pictures whose sizes follow the frame rule, whatever size they come in."""

    def __init__(self, builder: InputBuilder, patches: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # transformers' constructors have no types
        self.builder = builder
        self.merge_size: int = getattr(patches, "merge_size", 1)

    @property
    def model_input_names(self) -> list[str]:
        return ["pixel_values", "image_grid_thw"]

    def __call__(
        self, images: Any, return_tensors: str | None = None, crop_to_patches: bool = False, **_: Any
    ) -> BatchFeature:
        """Returns the tensors of a picture, of pictures, or of nested lists of them.

        With `crop_to_patches`, by which TRL asks for them, also the tiles of each picture, `num_patches` (B,).
        """
        pictures = list(_flat(images))
        counted = {"num_patches": torch.tensor(self.builder.counts(pictures))} if crop_to_patches else {}
        return BatchFeature({**self.builder.pixels(pictures).tensors, **counted}, tensor_type=return_tensors)


class Processor(ProcessorMixin):
    """A checkpoint's processor without torchvision. It pads on the left, and never changes a picture's frame."""

    def __init__(self, image_processor: FramedImages, tokenizer: PreTrainedTokenizerBase, **own: Any) -> None:
        super().__init__(image_processor, tokenizer, chat_template=tokenizer.chat_template)  # type: ignore[no-untyped-call] # as above
        self.builder: InputBuilder = own["builder"]
        self.rule: FrameRule = own["builder"].rule
        self.image_token: str = own["builder"].image_token
        self.image_token_id: int = own["builder"].image_token_id
        self._family: str = own["family"]
        self._folder: Path = own["folder"]
        self._ends: frozenset[int] = own["ends"]

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Processor":
        """The processor of an opened checkpoint."""
        builder = InputBuilder(checkpoint)
        checkpoint.tokenizer.padding_side = "left"
        ends = checkpoint.model.generation_config.eos_token_id
        ends = {checkpoint.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        images = FramedImages(builder, checkpoint.patches)
        return cls(
            images,
            checkpoint.tokenizer,
            builder=builder,
            family=str(checkpoint.model.config.model_type),
            folder=checkpoint.folder,
            ends=frozenset(ends),
        )

    @property
    def model_input_names(self) -> list[str]:
        return ["input_ids", "attention_mask", "mm_token_type_ids", *self.image_processor.model_input_names]

    def __call__(
        self,
        images: Any = None,
        text: str | Sequence[str] | None = None,
        padding: bool = False,
        padding_side: Literal["left", "right"] = "left",
        return_tensors: str | None = None,
        **_: Any,
    ) -> BatchFeature:
        """Returns the inputs for chats in text form, with one picture for each of their image tokens, in order.

        Without `padding` and `return_tensors` the parts of the text are lists of each row's own length; the pictures are
        always tensors. TRL's collator of supervised training pads answers on the right, to join them to prompts.
        """
        texts = [text] if isinstance(text, str) else list(text or ())
        pixels = self.builder.pixels(list(_flat(images))) if images is not None else None
        if pixels is not None:
            texts = self.builder.expanded(texts, pixels)
        made = self.builder.tokens(texts)
        if padding_side == "right":
            made = {key: _padded_right(rows, made["attention_mask"]) for key, rows in made.items()}
        if not padding and return_tensors is None:
            made = {key: _unpadded(rows, made["attention_mask"]) for key, rows in made.items()}
        return BatchFeature({**made, **(pixels.tensors if pixels else {})})

    def decode(self, token_ids: Any, **_: Any) -> str:
        """Returns what was written up to the first end token, as the product reads it.

        Special tokens stay in whatever `skip_special_tokens` says: an answer's tags are special tokens in some tokenizers.
        Padding before and after is left out.
        """
        pad = self.tokenizer.pad_token_id  # an end token, too, in Qwen's own settings
        ids = list(dropwhile(lambda each: each == pad, map(int, token_ids)))
        written = list(takewhile(lambda each: each != pad and each not in self._ends, ids))
        text = self.tokenizer.decode(written, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text)

    def batch_decode(self, sequences: Any, **_: Any) -> list[str]:
        """Returns `decode` of each row."""
        return [self.decode(row) for row in sequences]

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **_: Any) -> list[str]:
        """Writes the start folder's own files, so that the product, and others, open the new weights as the old ones.

        A square that a recipe chose is written into the image processor's settings, from which the product takes it.
        """
        if push_to_hub:
            raise T2SError(
                "argument_invalid", "a processor is not pushed by itself", "Export the run and push the folder"
            )
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        copied = [name for name in _FILES if (self._folder / name).is_file()]
        if folder.resolve() != self._folder.resolve():
            for name in copied:
                shutil.copyfile(self._folder / name, folder / name)
            _write_square(folder, self.rule, self._family)
        return [str(folder / name) for name in copied]


def require_whole_view(processor: Processor, side: int) -> None:
    """Raises `argument_invalid` where the model would see a view of `side` px in another size: the frame would be wrong."""
    seen = processor.rule.picture(Size(side, side))
    if seen != Size(side, side):
        raise T2SError(
            "argument_invalid",
            f"the model's processor makes {seen.width} x {seen.height} px of a view of {side} px: the frame would be wrong",
            f"Choose data.view square:{seen.width}, or served, or set policy.square",
        )


def _write_square(folder: Path, rule: FrameRule, family: str) -> None:
    side = getattr(rule, "side" if isinstance(rule, Square) else "square", None)
    if side is None:
        return
    if family == "internvl":
        (folder / FRAME_FILE).write_text(json.dumps({"square": side}) + "\n", encoding="utf-8")
        return
    name = "preprocessor_config.json"
    if not (folder / name).is_file():
        name = "processor_config.json"
    settings = read_settings(folder, name)
    images = settings if name == "preprocessor_config.json" else settings["image_processor"]
    images["size"] = {"shortest_edge": side * side, "longest_edge": side * side}
    images.pop("min_pixels", None)
    images.pop("max_pixels", None)
    (folder / name).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _unpadded(rows: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
    return [row[kept.bool()].tolist() for row, kept in zip(rows, mask, strict=True)]


def _padded_right(rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Moves the padding of each row (B, L) from the left to the right."""
    pads = (mask == 0).sum(1).tolist()
    return torch.stack([row.roll(-count) for row, count in zip(rows, pads, strict=True)])


def _flat(images: Any) -> Iterator[Image.Image]:
    """Yields pictures of nested lists in order; None, a row without pictures, has none."""
    if isinstance(images, Image.Image):
        yield images.convert("RGB")
    elif images is not None:
        for each in images:
            yield from _flat(each)
