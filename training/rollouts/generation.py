"""Draws completions, with each distinct picture and prompt of the batch computed once."""

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig
from transformers.cache_utils import DynamicCache

from t2s_agent.prompting.decoding import Drawing, decode, is_plain
from t2s_agent.prompting.token_steps import Prefill
from t2s_agent.threads import threads, threads_for
from training.rollouts.features import look
from training.rollouts.sharing import backbone_of, find_pictures, find_prompts, shares_prompts


@torch.no_grad()
def generate(model: Any, inputs: dict[str, Tensor], config: GenerationConfig, group: int = 1) -> list[list[int]]:
    """Returns `group` completions for each row of `inputs`, one after the other: tokens up to and with the end token.

    `inputs` is what the model's `generate` takes: `input_ids` and `attention_mask` (B, P), padded on the left, `pixel_values` and
    `image_grid_thw` of all pictures, row by row. Rows may be equal (TRL repeats a prompt for each completion) and may hold several pictures.
    `config` is completed by the model's own generation settings, as transformers does. Draws with torch's random state.

    Tokens are written by the product's own decoder where it knows model and settings (nano on a CPU), else by transformers from shared
    keys and values; a model that cannot share its prompts (`sharing.shares_prompts`), or rows without pictures, by transformers alone.
    """
    whole = copy.deepcopy(config)
    whole.num_return_sequences = 1
    if not shares_prompts(model) or "pixel_values" not in inputs:
        whole.num_return_sequences = group
        written = model.generate(**inputs, generation_config=whole)[:, inputs["input_ids"].shape[1] :].tolist()
    else:
        rows = [row for row in range(len(inputs["input_ids"])) for _ in range(group)]
        written = _continued(model, inputs, whole, rows)
    ends = config.eos_token_id if config.eos_token_id is not None else model.generation_config.eos_token_id
    return [_ended(row, ends) for row in written]


def _ended(row: list[int], ends: int | list[int] | None) -> list[int]:
    stops = ends if isinstance(ends, list) else [ends]
    end = next((at for at, token in enumerate(row) if token in stops), len(row) - 1)
    return row[: end + 1]


def _continued(model: Any, inputs: dict[str, Tensor], config: GenerationConfig, rows: list[int]) -> list[list[int]]:
    """Continues the rows with these numbers from distinct prompts."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    prompts = _Prompts.of(backbone_of(model), inputs)
    of_row = [prompts.of_row[row] for row in rows]
    drawing = Drawing.of(model, config)
    if drawing is not None and is_plain(model) and _even(of_row):
        with threads(threads_for(model)):
            return decode(model, prompts.prefill(model.lm_head), drawing, of_row)
    given = {"past_key_values": prompts.cache(of_row), "attention_mask": mask[rows], "generation_config": config}
    written: list[list[int]] = model.generate(input_ids=ids[rows], **given)[:, ids.shape[1] :].tolist()
    return written


def _even(of_row: list[int]) -> bool:
    """Whether equal prompts stand side by side, as many of each, in the order of their numbers."""
    return of_row == sorted(of_row) and len(set(Counter(of_row).values())) == 1


@dataclass(frozen=True, slots=True, eq=False)
class _Prompts:
    """The distinct prompts of a batch (U) and what the model needs to run them; `of_row` has the number of each row's prompt."""

    backbone: Any
    of_row: tuple[int, ...]
    ids: Tensor
    mask: Tensor
    positions: Tensor  # (3, U, P)
    offsets: Tensor  # (U, 1): a token's position minus its place among the tokens
    pictures: dict[str, Any] | None

    @classmethod
    def of(cls, backbone: Any, inputs: dict[str, Tensor]) -> "_Prompts":
        ids, mask, token = inputs["input_ids"], inputs["attention_mask"], backbone.config.image_token_id
        grids, merge = inputs["image_grid_thw"], backbone.visual.spatial_merge_size
        shown = find_pictures(ids, inputs["pixel_values"], grids, image_token=token, merge=merge)
        found = find_prompts(ids, mask, shown.rows)
        first, pictures = list(found.first), shown.of(found.first)
        ids, mask = ids[first], mask[first]
        grids = torch.cat([shown.grids[picture] for picture in pictures])
        types = (ids == token).int()
        positions, offsets = backbone.get_rope_index(ids, types, image_grid_thw=grids, attention_mask=mask)
        return cls(backbone, found.of_row, ids, mask, positions, offsets, look(backbone, shown).of(pictures))

    def run(self, length: int) -> tuple[DynamicCache, Tensor]:
        """Runs their first `length` tokens; keys and values, and the hidden states (U, length, D)."""
        cache = DynamicCache(config=self.backbone.config)
        output = self.backbone(
            input_ids=self.ids[:, :length],
            attention_mask=self.mask[:, :length],
            position_ids=self.positions[..., :length],
            mm_encoder_outputs=self.pictures,
            past_key_values=cache,
            use_cache=True,
        )
        return cache, output.last_hidden_state

    def prefill(self, head: Any) -> Prefill:
        """All of their tokens, for the product's decoder."""
        cache, hidden = self.run(self.ids.shape[1])
        return Prefill.of(cache, self.mask, self.mask.sum(-1) + self.offsets[:, 0], head(hidden[:, -1]))

    def cache(self, of_row: list[int]) -> DynamicCache:
        """All of their tokens but the last, repeated for rows: transformers' `generate` runs the last one, from the offsets set here."""
        cache, _ = self.run(self.ids.shape[1] - 1)
        chosen = torch.tensor(of_row, device=self.ids.device)
        cache.batch_select_indices(chosen)
        self.backbone.rope_deltas = self.offsets[chosen]
        return cache
