"""Log-probabilities with shared prompts equal TRL's own, and so do their gradients."""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from t2s_agent.errors import T2SError
from training.rollouts.scoring import log_probs

# three prompts, two of them about one picture, in any order, as TRL shuffles them
ROWS = [(0, [1]), (4, [2]), (0, [1]), (2, [1]), (4, [2]), (0, [1])]
WORDS = [[7, 8, 9, 10], [1, 2], [3] * 6, [4, 5, 6], [200, 100, 50, 25, 12], [11]]


def trls(model, batch, keep):
    """TRL's own, as its trainer calls it."""
    trainer = SimpleNamespace(accelerator=SimpleNamespace(autocast=contextlib.nullcontext))
    image = (batch.ids == model.config.image_token_id).int()
    return GRPOTrainer._get_per_token_logps_and_entropies.__wrapped__(
        trainer,
        model,
        batch.ids,
        batch.mask,
        keep,
        compute_entropy=True,
        pixel_values=batch.pixels,
        image_grid_thw=batch.grids,
        num_images=batch.num_images,
        mm_token_type_ids=image,
    )[:2]


def ours(model, batch, keep, **options):
    scores = log_probs(
        model,
        batch.ids,
        batch.mask,
        keep,
        pixel_values=batch.pixels,
        image_grid_thw=batch.grids,
        num_images=batch.num_images,
        **options,
    )
    return scores.log_probs, scores.entropies


def gradients(model, way, batch, keep):
    """The gradient of a loss that weighs every token differently, by name of the weight."""
    model.zero_grad()
    logps, entropies = way(model, batch, keep)
    weights = torch.linspace(-1, 1, logps.numel()).view_as(logps)
    (logps * weights + 0.1 * entropies * weights).sum().backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def assert_equal_gradients(a, b):
    assert a.keys() == b.keys()
    assert a
    largest = max(g.abs().max() for g in a.values())
    for name in a:
        assert torch.allclose(a[name], b[name], rtol=1e-5, atol=1e-5 * float(largest)), name


@pytest.fixture
def scored(maker):
    """The maker, with TRL's head on its model."""
    add_fused_lm_head(maker.model, temperature=0.7, outputs=("log_probs", "entropy"))
    return maker


def test_log_probs_and_entropies_are_trls(scored):
    batch = scored.batch(ROWS, WORDS)
    with torch.no_grad():
        theirs, mine = trls(scored.model, batch, 6), ours(scored.model, batch, 6)
        few = ours(scored.model, batch, 6, rows_at_once=4)
    for a, b, c in zip(theirs, mine, few, strict=True):
        assert a.shape == (6, 6)
        assert torch.allclose(a, b, atol=1e-4)
        assert torch.allclose(a, c, atol=1e-4)
    assert (mine[0] == 0).tolist() == (batch.mask[:, -6:] == 0).tolist()


def test_the_picture_matters(scored):
    with torch.no_grad():
        one, other = (ours(scored.model, scored.batch([(0, [seed])], [[7, 8]]), 2)[0] for seed in (1, 3))
    assert not torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_trls_of_tower_and_language_model(scored, checkpointing):
    model, batch = scored.model.train(), scored.batch(ROWS, WORDS)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    theirs, mine = gradients(model, trls, batch, 6), gradients(model, ours, batch, 6)
    assert any(name.startswith("model.visual.patch_embed") for name in mine)
    assert_equal_gradients(theirs, mine)


def test_the_tower_and_the_prompts_run_once_for_what_is_distinct(scored, monkeypatch):
    model, seen = scored.model, []
    model.model.visual.register_forward_pre_hook(lambda _, args, kwargs: seen.append(len(args[0])), with_kwargs=True)
    layer = model.model.language_model.layers[0]
    layer.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape[:2])))
    batch = scored.batch(ROWS, WORDS)
    with torch.no_grad():
        ours(model, batch, 6)
    prompt = batch.ids.shape[1] - 6
    assert seen == [
        2 * 24,
        (3, prompt),
        (6, 5),
    ]  # two pictures of 24 patches; three prompts; six completions but their last token


def test_a_completion_may_hold_a_picture(scored):
    config = scored.config
    shows = [5, config.vision_start_token_id, *[config.image_token_id] * 6, config.vision_end_token_id, 6, 7]
    batch = scored.batch([(0, [1]), (0, [1]), (3, [2])], [[9] * 3, shows, shows])
    second, third = scored.picture(3), scored.picture(1)
    sizes = [24, 24, 24]
    first, again, last = batch.pixels.split(sizes)
    batch = type(batch)(
        batch.ids,
        batch.mask,
        torch.cat([first, again, second[0], last, third[0]]),
        torch.cat([batch.grids[:2], second[1], batch.grids[2:], third[1]]),
        [1, 2, 2],
    )
    model = scored.model.train()
    with torch.no_grad():
        theirs, mine = trls(model, batch, len(shows)), ours(model, batch, len(shows))
    assert torch.allclose(theirs[0], mine[0], atol=1e-4)
    assert_equal_gradients(gradients(model, trls, batch, len(shows)), gradients(model, ours, batch, len(shows)))


def test_a_frozen_tower_gets_no_gradient_though_inputs_require_some(scored):
    model, batch = scored.model.train(), scored.batch(ROWS, WORDS)
    model.model.visual.requires_grad_(False)
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert_equal_gradients(gradients(model, trls, batch, 6), gradients(model, ours, batch, 6))


def test_adapters_get_trls_gradients_too(scored):
    settings = LoraConfig(r=2, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    model, batch = get_peft_model(scored.model.train(), settings), scored.batch(ROWS, WORDS)
    theirs, mine = gradients(model, trls, batch, 6), gradients(model, ours, batch, 6)
    assert all("lora" in name for name in mine)
    assert_equal_gradients(theirs, mine)


def test_reentrant_checkpointing_is_refused_with_the_way_out(scored):
    model = scored.model.train()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(T2SError, match="use_reentrant"):
        ours(model, scored.batch(ROWS, WORDS), 6)
    assert "forward" not in vars(model.model)


def test_an_image_token_without_a_picture_is_not_scored(scored):
    stray = [[7, scored.config.image_token_id]] * 2
    with pytest.raises(RuntimeError, match="image tokens"):
        ours(scored.model, scored.batch([(0, [1]), (0, [1])], stray), 2)
