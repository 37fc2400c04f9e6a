"""Draws completions, with each distinct picture and prompt of the batch computed once."""

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig
from transformers.cache_utils import DynamicCache

from training.rollouts.features import look
from training.rollouts.sharing import backbone_of, find_pictures, find_prompts, shares_prompts


@torch.no_grad()
def generate(model: Any, inputs: dict[str, Tensor], config: GenerationConfig, group: int = 1) -> list[list[int]]:
    """Returns `group` completions for each row of `inputs`, one after the other: tokens up to and with the end token.

    `inputs` is what the model's `generate` takes: `input_ids` and `attention_mask` (B, P), padded on the left, `pixel_values` and
    `image_grid_thw` of all pictures, row by row. Rows may be equal (TRL repeats a prompt for each completion) and may hold several pictures.
    `config` is completed by the model's own generation settings, as transformers does. Draws with torch's random state.
    A model that cannot share its prompts (`sharing.shares_prompts`), or rows without pictures, run by transformers alone.
    """
    whole = copy.deepcopy(config)
    whole.num_return_sequences = 1
    repeated = [row for row in range(len(inputs["input_ids"])) for _ in range(group)]
    ids, mask = inputs["input_ids"][repeated], inputs["attention_mask"][repeated]
    if shares_prompts(model) and "pixel_values" in inputs:
        given: dict[str, Any] = {"past_key_values": _prompted(backbone_of(model), inputs, repeated)}
    else:
        whole.num_return_sequences = group
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        given = {key: value for key, value in inputs.items() if key not in ("input_ids", "attention_mask")}
    written = model.generate(input_ids=ids, attention_mask=mask, generation_config=whole, **given)
    ends = config.eos_token_id if config.eos_token_id is not None else model.generation_config.eos_token_id
    return [_ended(row, ends) for row in written[:, ids.shape[1] :].tolist()]


def _ended(row: list[int], ends: int | list[int] | None) -> list[int]:
    stops = ends if isinstance(ends, list) else [ends]
    end = next((at for at, token in enumerate(row) if token in stops), len(row) - 1)
    return row[: end + 1]


def _prompted(backbone: Any, inputs: dict[str, Tensor], rows: list[int]) -> DynamicCache:
    """Keys and values of all prompt tokens but the last, for the rows of these numbers; sets the backbone's position offsets for them."""
    ids, mask, token = inputs["input_ids"], inputs["attention_mask"], backbone.config.image_token_id
    grids, merge = inputs["image_grid_thw"], backbone.visual.spatial_merge_size
    shown = find_pictures(ids, inputs["pixel_values"], grids, image_token=token, merge=merge)
    prompts = find_prompts(ids, mask, shown.rows)
    first = list(prompts.first)
    pictures = shown.of(first)
    positions, offsets = backbone.get_rope_index(
        ids[first],
        (ids[first] == token).int(),
        image_grid_thw=torch.cat([shown.grids[picture] for picture in pictures]),
        attention_mask=mask[first],
    )
    cache = DynamicCache(config=backbone.config)
    backbone(
        input_ids=ids[first, :-1],
        attention_mask=mask[first, :-1],
        position_ids=positions[..., :-1],
        mm_encoder_outputs=look(backbone, shown).of(pictures),
        past_key_values=cache,
        use_cache=True,
    )
    chosen = torch.tensor([prompts.of_row[row] for row in rows], device=ids.device)
    cache.batch_select_indices(chosen)
    backbone.rope_deltas = offsets[chosen]
    return cache
