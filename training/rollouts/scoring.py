"""Log-probabilities of completions, with each distinct picture and prompt of the batch computed once, gradients included.

The head is TRL's fused one (`trl.trainer.utils.add_fused_lm_head`, which its trainers install): logits are made in chunks and only for
completions. What changes is the model below the head, and only during the call.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from training.rollouts.features import look
from training.rollouts.prefix import Prefix, checkpointing_with_caches
from training.rollouts.sharing import backbone_of, find_pictures, find_prompts


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Log-probabilities and entropies (B, T) of the completions' tokens, zero where the attention mask is zero."""

    log_probs: Tensor
    entropies: Tensor | None


def log_probs(
    model: Any,
    ids: Tensor,
    mask: Tensor,
    keep: int,
    *,
    pixel_values: Tensor,
    image_grid_thw: Tensor,
    num_images: Sequence[int],
    rows_at_once: int | None = None,
) -> Scores:
    """Scores the last `keep` tokens of each row of `ids` (B, P + T), as TRL's `_get_per_token_logps_and_entropies` does.

    Rows may come in any order: those with equal prompts and pictures are found. Prompts are padded on the left, completions on the right, and
    `mask` (B, P + T) is 0 there. Completions may show pictures too. `num_images` says how many pictures each row has.
    `model` may be wrapped (adapters, data parallel), needs TRL's fused head, and is one that `sharing.shares_prompts`.
    Without gradients, `rows_at_once` limits memory.
    """
    step = rows_at_once or len(ids)
    batches = []
    for start in range(0, len(ids), step):
        rows = slice(start, start + step)
        first, count = sum(num_images[:start]), sum(num_images[rows])
        patches = image_grid_thw.prod(-1).tolist()
        above = sum(patches[:first])
        pixels = pixel_values[above : above + sum(patches[first : first + count])]
        batches.append(_scores(model, ids[rows], mask[rows], keep, pixels, image_grid_thw[first : first + count]))
    entropies = [each.entropy for each in batches if each.entropy is not None]
    return Scores(torch.cat([each.log_probs for each in batches]), torch.cat(entropies) if entropies else None)


def _scores(model: Any, ids: Tensor, mask: Tensor, keep: int, pixels: Tensor, grids: Tensor) -> Any:
    labels = ids[:, -keep:].masked_fill(mask[:, -keep:] == 0, -100)
    with _shared(backbone_of(model), keep):
        return model(
            input_ids=ids,
            attention_mask=mask,
            pixel_values=pixels,
            image_grid_thw=grids,
            shift_labels=labels,
            fused_lm_head=True,
        )


@contextlib.contextmanager
def _shared(backbone: Any, keep: int) -> Iterator[None]:
    """Within, the backbone gives the hidden states (B, T, D) from which the last `keep` tokens are predicted, and no others."""
    ordinary = backbone.forward

    def forward(**inputs: Any) -> Any:
        return SimpleNamespace(last_hidden_state=_hidden(backbone, ordinary, keep, **inputs))

    backbone.forward = forward
    try:
        with checkpointing_with_caches(backbone):
            yield
    finally:
        del backbone.forward


def _hidden(
    backbone: Any,
    ordinary: Any,
    keep: int,
    *,
    input_ids: Tensor,
    attention_mask: Tensor,
    pixel_values: Tensor,
    image_grid_thw: Tensor,
    **options: Any,
) -> Tensor:
    ids, mask, token = input_ids, attention_mask, backbone.config.image_token_id
    length, merge = ids.shape[1] - keep, backbone.visual.spatial_merge_size
    shown = find_pictures(ids, pixel_values, image_grid_thw, image_token=token, merge=merge)
    before = _split(shown.rows, ids[:, :length], image_token=token, grids=shown.grids, merge=merge)
    prompts = find_prompts(ids[:, :length], mask[:, :length], before)
    features = look(backbone, shown)
    positions, _ = backbone.get_rope_index(
        ids, (ids == token).int(), image_grid_thw=image_grid_thw, attention_mask=mask
    )  # (3, B, P + T)
    first, prefix = list(prompts.first), Prefix(len(backbone.language_model.layers))
    prompted = ordinary(
        input_ids=ids[first, :length],
        attention_mask=mask[first, :length],
        position_ids=positions[:, first, :length],
        mm_encoder_outputs=features.of([picture for row in first for picture in before[row]]),
        past_key_values=prefix.writing,
        **options,
    ).last_hidden_state
    last: Tensor = prompted[:, -1:].index_select(0, torch.tensor(prompts.of_row, device=ids.device))
    if keep == 1:
        return last
    with prefix.reading(prompts.of_row, ids.device) as cache:
        completed = ordinary(
            input_ids=ids[:, length:-1],
            attention_mask=mask[:, :-1],
            position_ids=positions[:, :, length:-1],
            mm_encoder_outputs=features.of(
                [picture for all_, some in zip(shown.rows, before, strict=True) for picture in all_[len(some) :]]
            ),
            past_key_values=cache,
            **options,
        ).last_hidden_state
    return torch.cat([last, completed], 1)


def _split(
    rows: Sequence[tuple[int, ...]], prompts: Tensor, *, image_token: int, grids: Sequence[Tensor], merge: int
) -> list[tuple[int, ...]]:
    """The pictures of each row that stand in its prompt."""
    before = []
    for row, tokens in zip(rows, (prompts == image_token).sum(-1).tolist(), strict=True):
        count = 0
        while tokens > 0:
            tokens -= int(grids[row[count]].prod()) // merge**2
            count += 1
        before.append(row[:count])
    return before
