"""The settings that a recipe becomes are those of GRPO as published: one step of TRL under them equals a reference step.

The reference below follows REFERENCE: advantages with n - 1 and + 1e-4, k3 KL, clipping, the mean over each sequence and then over
the batch.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
import torch
import trl
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, TrainingArguments

from t2s_agent.errors import T2SError
from training import objective
from training.objective import batches, check_recipe, grpo_config, reward_weights, total_steps
from training.recipe import load_recipe

END, WORDS = 0, 24
COMPLETIONS = [[5, 9, END], [7, END], [3, 3, 4, 8, 11], [12, 5, 6, END], [2, END], [9, 9, 9, END]]
REWARDS = [[2.0, 1.0], [0.0, 1.0], [1.3, 0.0], [0.4, 1.0], [1.9, 1.0], [0.1, 0.0]]  # mask, valid_json
GROUP = 3


def recipe(*changes):
    sizes = [f"rollout.group={GROUP}", "optimizer.prompts=2", "optimizer.per_device=6", "rollout.max_new_tokens=5"]
    plain = ["policy.dtype=float32", "policy.attention=sdpa", "run.report_to=[]", "reward.valid_tags=0"]
    return load_recipe("think2seg-3b", [*sizes, *plain, "optimizer.steps=4", "optimizer.epochs=null", *changes])


@dataclass(frozen=True)
class Step:
    """What a reference step is computed from: log-probabilities (B, T) of three policies, the mask (B, T), the rewards (B)."""

    new: torch.Tensor
    old: torch.Tensor
    reference: torch.Tensor
    mask: torch.Tensor
    rewards: torch.Tensor


def reference_loss(step, *, beta=0.001, low=0.2, high=0.2, loss="grpo", scale=True, longest=5):
    grouped = step.rewards.view(-1, GROUP)
    advantages = grouped - grouped.mean(1, keepdim=True)
    if scale:
        deviation = (advantages**2).sum(1, keepdim=True).div(GROUP - 1).sqrt()
        advantages = advantages / (deviation + 1e-4)
    advantages = advantages.view(-1, 1)
    ratio = (step.new - step.old).exp()
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)
    kl = (step.reference - step.new).exp() - (step.reference - step.new) - 1
    each = (beta * kl - gain) * step.mask
    if loss == "grpo":
        return (each.sum(1) / step.mask.sum(1)).mean()
    if loss == "dapo":
        return each.sum() / step.mask.sum()
    return each.sum() / (len(each) * longest)


def log_probs(model, batch):
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    kept = batch["completion_ids"].shape[1]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, -kept - 1 : -1]
    return logits.log_softmax(-1).gather(2, batch["completion_ids"][..., None])[..., 0]


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


class FixedCompletions(trl.GRPOTrainer):  # type: ignore[misc]  # trl is not typed
    """TRL's trainer with the completions above."""

    def _generate_single_turn(self, prompt_ids, *_, **__):
        return [list(each) for each in COMPLETIONS][: len(prompt_ids)], None


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """A random model of two layers and its tokenizer, in a folder."""
    folder = tmp_path_factory.mktemp("start")
    vocabulary = {"end": END} | {f"w{number}": number for number in range(1, WORDS)}
    words = Tokenizer(WordLevel(vocabulary, unk_token="end"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="end", pad_token="end", padding_side="left")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Qwen2Config(vocab_size=WORDS, num_key_value_heads=2, tie_word_embeddings=True, eos_token_id=END, **sizes)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def one_step(start, out, settings):
    """TRL's batch and trainer under some settings, the policy moved away from the reference."""
    model = Qwen2ForCausalLM.from_pretrained(start)
    trainer = FixedCompletions(
        model=model,
        processing_class=PreTrainedTokenizerFast.from_pretrained(start),
        reward_funcs=[lambda prompts, **_: [r[0] / 2 for r in REWARDS], lambda prompts, **_: [r[1] for r in REWARDS]],
        args=settings,
        train_dataset=Dataset.from_dict({"prompt": ["w1 w2 w3", "w4 w5"]}),
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.05)
    model.train()
    trainer.current_gradient_accumulation_steps = 1
    prompts = [{"prompt": text} for text in ("w1 w2 w3", "w4 w5") for _ in range(GROUP)]
    return trainer, trainer._generate_and_score_completions(prompts)


def compared(start, out, settings, *, off_policy=False, **how):
    """Loss and gradients of TRL and of the reference, for the same batch; `off_policy` moves the old log-probabilities away."""
    trainer, batch = one_step(start, out, settings)
    model, initial = trainer.model, Qwen2ForCausalLM.from_pretrained(start)
    new, mask = log_probs(model, batch), batch["completion_mask"].float()
    shift = 0.4 * torch.sin(torch.arange(new.numel(), dtype=torch.float32)).view_as(new) if off_policy else 0.0
    old = new.detach() + shift
    if off_policy:
        batch["old_per_token_logps"] = old
    with torch.no_grad():
        reference = log_probs(initial, batch)
    rewards = torch.tensor(REWARDS).sum(1)
    ours = reference_loss(Step(new, old, reference, mask, rewards), **how)
    theirs = trainer._compute_loss(model, batch)
    return (theirs.item(), gradients(model, theirs)), (ours.item(), gradients(model, ours))


@pytest.mark.parametrize("off_policy", [False, True], ids=["on policy", "clipped"])
@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ((), {}),
        (("objective.beta=0.5",), {"beta": 0.5}),
        (("objective.loss=dapo", "objective.epsilon_high=0.28"), {"loss": "dapo", "high": 0.28}),
        (
            ("objective.loss=dr_grpo", "objective.scale=none", "objective.beta=0.001"),
            {"loss": "dr_grpo", "scale": False},
        ),
    ],
    ids=["the paper's", "strong KL", "DAPO", "Dr. GRPO"],
)
def test_a_step_equals_the_reference(start, tmp_path, changes, how, off_policy):
    settings = grpo_config(recipe(*changes), tmp_path, steps=4)
    theirs, ours = compared(start, tmp_path, settings, off_policy=off_policy, **how)
    assert theirs[0] == pytest.approx(ours[0], abs=1e-5)
    assert ours[1].abs().max() > 1e-3
    torch.testing.assert_close(theirs[1], ours[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "as_it_comes"),
    [("loss_type", "dapo"), ("beta", 0.0), ("use_bias_correction_kl", True)],
)
def test_each_default_of_trl_that_we_change_would_change_the_gradients(start, tmp_path, name, as_it_comes):
    default = next(each.default for each in fields(trl.GRPOConfig) if each.name == name)
    assert default == as_it_comes, "TRL's default has changed: read its notes, then adapt training/objective.py"
    settings = replace(grpo_config(recipe("objective.beta=0.5"), tmp_path, steps=4), generation_batch_size=None)
    setattr(settings, name, as_it_comes)
    theirs, ours = compared(start, tmp_path, settings, beta=0.5)
    assert (theirs[1] - ours[1]).abs().max() > 1e-3


@pytest.mark.parametrize("scale", ["none", "batch"])
def test_another_scaling_would_change_the_gradients(start, tmp_path, scale):
    settings = grpo_config(recipe(f"objective.scale={scale}"), tmp_path, steps=4)
    theirs, ours = compared(start, tmp_path, settings)
    assert (theirs[1] - ours[1]).abs().max() > 1e-3


# Fields of TRL's own that grpo_config leaves as they come, and why each cannot matter here.
LEFT = {
    "model_init_kwargs": "the model is opened by training.policy",
    "trust_remote_code": "as above",
    "num_generations_eval": "no evaluation by TRL",
    "pad_to_multiple_of": "for hardware that compiles by shape",
    "generation_batch_size": "follows from steps_per_generation",
    "chat_template_kwargs": "none of the families' templates takes any here",
    "max_tool_calling_iterations": "no tools",
    "ds3_gather_for_generation": "how weights are gathered, not what they are",
    "transformers_continuous_batching_config": "not used",
}
UNUSED = (
    "vllm_",
    "sapo_",
    "vespo_",
    "entropy_coef_",
    "entropy_target",
    "ref_model_",
    "log_",
    "num_completions_to_print",
)
DEPRECATED = {"use_transformers_paged", "vllm_importance_sampling_cap"}


def test_every_field_of_trls_own_is_given_or_named_here(tmp_path, monkeypatch):
    monkeypatch.setattr(objective, "GRPOConfig", lambda **given: given)
    given = grpo_config(recipe(), tmp_path, steps=4)
    own = {each.name for each in fields(trl.GRPOConfig)} - {each.name for each in fields(TrainingArguments)}
    open_ = {name for name in own - set(given) - set(LEFT) - DEPRECATED if not name.startswith(UNUSED)}
    assert open_ == set()
    assert given["vllm_importance_sampling_correction"] is False


@pytest.mark.parametrize(
    "name",
    [
        *("seed", "data_seed", "max_steps", "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay"),
        *("adam_beta1", "adam_beta2", "adam_epsilon", "optim", "max_grad_norm", "bf16", "fp16", "use_cpu"),
        *("gradient_accumulation_steps", "per_device_train_batch_size", "activation_checkpointing", "save_only_model"),
        *("save_strategy", "save_steps", "logging_steps", "logging_nan_inf_filter", "remove_unused_columns"),
        *("dataloader_num_workers", "report_to", "ignore_data_skip", "eval_strategy"),
    ],
)
def test_settings_of_transformers_that_matter_are_given(tmp_path, monkeypatch, name):
    monkeypatch.setattr(objective, "GRPOConfig", lambda **given: given)
    assert name in grpo_config(recipe(), tmp_path, steps=4)


def test_the_papers_settings(tmp_path):
    paper = load_recipe("think2seg-3b", ["policy.attention=sdpa", "run.report_to=[]"])
    settings = grpo_config(paper, tmp_path, steps=10)
    assert (settings.loss_type, settings.beta, settings.scale_rewards) == ("grpo", 0.001, "group")
    assert (settings.num_generations, settings.temperature, settings.top_k, settings.top_p) == (16, 1.0, 50, 1.0)
    assert (settings.learning_rate, settings.lr_scheduler_type, settings.warmup_steps) == (1e-6, "linear", 0)
    assert (settings.bf16, settings.num_iterations, settings.mask_truncated_completions) == (True, 1, False)
    assert settings.max_completion_length == 1024
    assert settings.reward_weights == [2.0, 1.0, 1.0]
    assert settings.gradient_accumulation_steps == settings.steps_per_generation == 4  # one process; the paper has two


def test_image_tokens_are_never_sampled(tmp_path):
    settings = grpo_config(recipe(), tmp_path, steps=1, suppressed=[17, 18])
    assert settings.generation_kwargs == {"suppress_tokens": [17, 18]}


def test_a_step_is_split_over_processes():
    paper = load_recipe("think2seg-3b")
    assert batches(paper, 2).accumulated == 2
    assert batches(paper, 2).sequences == 64
    with pytest.raises(T2SError, match="64 sequences a step cannot be split over 3 processes"):
        batches(paper, 3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (["rollout.completions=x.jsonl", "objective.resample=2"], "objective.resample"),
        (["rollout.completions=x.jsonl", "rollout.turns=2", "rollout.engine=transformers"], "rollout.turns"),
        (["rollout.completions=x.jsonl", "rollout.engine=vllm", "rollout.vllm.mode=server"], "rollout.engine"),
        (["reward.length=0.5", "rollout.turns=2", "rollout.engine=transformers"], "reward.length"),
        (["reward.calibration=1", "data.styles=[box_2_points_confidence, box]"], "box of data.styles"),
        (["objective.epsilon_high=0.1"], "objective.epsilon_high"),
        (["objective.iterations=3", "run.save_every=10"], "run.save_every"),
        (["policy.attention=flash_attention_2"], "policy.attention"),
        (["optimizer.per_device=4"], "optimizer.per_device"),
        (["reward.mask=0", "reward.valid_json=0"], "weights of reward"),
    ],
)
def test_contradictions_are_refused_by_name(changes, named):
    with pytest.raises(T2SError) as refused:
        check_recipe(recipe(*changes))
    assert refused.value.code == "argument_invalid"
    assert named in refused.value.what


def test_drawing_again_from_a_vllm_server_needs_one_process():
    served = recipe("objective.resample=1", "rollout.engine=vllm", "rollout.vllm.mode=server", "optimizer.per_device=3")
    check_recipe(served, processes=1)
    with pytest.raises(T2SError, match="vLLM server together"):
        check_recipe(served, processes=2)


def test_fsdp_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(T2SError, match="FSDP"):
        check_recipe(recipe())


def test_groups_that_are_drawn_again_lie_in_one_process():
    spread_out = recipe("objective.resample=1", "optimizer.prompts=1", "rollout.group=4", "optimizer.per_device=2")
    check_recipe(spread_out, processes=1)
    with pytest.raises(T2SError, match="whole groups"):
        check_recipe(spread_out, processes=2)


def test_only_rewards_with_a_weight_are_computed():
    assert reward_weights(recipe("reward.calibration=0.5").reward) == {
        "mask": 2.0,
        "valid_json": 1.0,
        "calibration": 0.5,
    }


def test_steps_follow_from_the_questions_of_all_passes():
    by_epochs = load_recipe("think2seg-3b")
    assert total_steps(by_epochs, 5 * 2371) == 2963
    assert total_steps(recipe(), 10**6) == 4
    with pytest.raises(T2SError, match="less than one step"):
        total_steps(by_epochs, 3)
