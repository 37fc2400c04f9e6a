"""Translates a recipe into the settings of TRL's GRPOTrainer, each of which is given explicitly.

TRL's defaults are not GRPO as published (loss, KL weight and KL correction differ) and change between versions, so nothing that
changes the loss, the sampling or the steps is left as it comes. tests/training/test_objective.py checks the result against a
reference implementation of one step.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from trl import GRPOConfig

from t2s_agent.errors import T2SError
from t2s_agent.prompting.style import style_named
from training.recipe import Recipe, Reward

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class Batches:
    """How the sequences of one optimizer step are split: `sequences` in all, `per_device` in memory, `accumulated` times a process."""

    prompts: int
    group: int
    processes: int
    per_device: int
    accumulated: int

    @property
    def sequences(self) -> int:
        """Returns the completions of one optimizer step, over all processes."""
        return self.prompts * self.group


def batches(recipe: Recipe, processes: int) -> Batches:
    """Returns how a recipe's step is split over `processes`; `argument_invalid` if it cannot be split evenly."""
    prompts, group, per_device = recipe.optimizer.prompts, recipe.rollout.group, recipe.optimizer.per_device
    sequences, together = prompts * group, per_device * processes
    if sequences % together:
        raise T2SError(
            "argument_invalid",
            f"optimizer.prompts {prompts} x rollout.group {group} = {sequences} sequences a step cannot be split over "
            f"{processes} processes with optimizer.per_device {per_device}",
            f"Choose them so that {together} divides {sequences}",
        )
    return Batches(prompts, group, processes, per_device, sequences // together)


def reward_weights(reward: Reward) -> dict[str, float]:
    """Returns the rewards with a weight above zero; `argument_invalid` if there is none."""
    named = ("mask", "valid_json", "valid_tags", "boxes", "calibration", "length")
    weights = {name: getattr(reward, name) for name in named if getattr(reward, name) > 0}
    if not weights:
        raise T2SError("argument_invalid", "all weights of reward are 0", "Set at least reward.mask")
    return weights


def total_steps(recipe: Recipe, questions: int) -> int:
    """Returns the optimizer steps of a run: `steps`, or as many as its `questions` (all passes together) are enough for."""
    if recipe.optimizer.steps is not None:
        return recipe.optimizer.steps
    steps = questions // recipe.optimizer.prompts * recipe.objective.iterations
    if not steps:
        raise T2SError(
            "argument_invalid",
            f"the run's {questions} questions are less than one step of {recipe.optimizer.prompts}",
            "Raise optimizer.epochs or lower optimizer.prompts",
        )
    return steps


def processes_now() -> int:
    """Returns the number of processes that train together."""
    return int(PartialState(cpu=not torch.cuda.is_available()).num_processes)


def check_recipe(recipe: Recipe, processes: int = 1) -> None:
    """Raises `argument_invalid` that names every pair of settings that contradict each other."""
    objective, rollout = recipe.objective, recipe.rollout
    wrong = [message for holds, message in _contradictions(recipe) if holds]
    if wrong:
        raise T2SError("argument_invalid", "; ".join(wrong), "Change one of the settings that are named")
    split = batches(recipe, processes)
    reward_weights(recipe.reward)
    if objective.resample and rollout.engine == "vllm" and processes > 1:
        what = "objective.resample draws on some processes only, and all have to ask a vLLM server together"
        raise T2SError("argument_invalid", what, "Set objective.resample=0, or train in one process")
    if objective.resample and split.per_device * split.accumulated % rollout.group:
        raise T2SError(
            "argument_invalid",
            f"objective.resample needs whole groups in a process: {split.per_device * split.accumulated} sequences a "
            f"process are no multiple of rollout.group {rollout.group}",
            "Use fewer processes, more prompts, or objective.resample=0",
        )


def _contradictions(recipe: Recipe) -> Sequence[tuple[bool, str]]:
    """Returns for each pair of settings whether they contradict each other, and the message."""
    objective, rollout, policy, run = recipe.objective, recipe.rollout, recipe.policy, recipe.run
    given, high = rollout.completions is not None, objective.epsilon_high
    flash = policy.attention == "flash_attention_2"
    rewarded = recipe.data.styles if recipe.reward.calibration else ()
    silent = [style for style in rewarded if not style_named(style).confidence]
    fsdp = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    between = f"run.save_every {run.save_every} is no multiple of objective.iterations {objective.iterations}"
    return (
        (given and rollout.engine == "vllm", "rollout.completions come from a file and rollout.engine is vllm"),
        (given and objective.resample > 0, "rollout.completions are fixed, so objective.resample cannot draw others"),
        (given and rollout.turns > 1, "rollout.completions hold one turn and rollout.turns asks for two"),
        (
            recipe.reward.length > 0 and rollout.turns > 1,
            "reward.length counts one turn and rollout.turns asks for two",
        ),
        (bool(silent), f"reward.calibration needs a confidence and {', '.join(silent)} of data.styles asks for none"),
        (high is not None and high < objective.epsilon, "objective.epsilon_high is below objective.epsilon"),
        (run.save_every % objective.iterations > 0, f"{between}: a checkpoint has to lie between two generations"),
        (flash and not torch.cuda.is_available(), "policy.attention is flash_attention_2 and there is no GPU"),
        (fsdp and not torch.cuda.is_available(), "accelerate leaves FSDP out where there is no GPU, without a word"),
        (flash and policy.dtype == "float32", "policy.attention flash_attention_2 needs policy.dtype bfloat16"),
    )


def grpo_config(recipe: Recipe, out: Path, *, steps: int, suppressed: Sequence[int] = ()) -> GRPOConfig:
    """Returns TRL's settings for a recipe of `steps` optimizer steps that writes to the folder `out`.

    `suppressed` are token ids that are never sampled: those of images and videos, because one stray image token makes TRL leave
    out the pictures of the whole batch. Raises `argument_invalid` for settings that contradict each other.
    """
    processes = processes_now()
    check_recipe(recipe, processes)
    return GRPOConfig(
        output_dir=str(out),
        **_loss(recipe),
        **_sampling(recipe, suppressed),
        **_steps(recipe, steps, batches(recipe, processes)),
        **machine(recipe, processes),
        **output(recipe),
    )


def _loss(recipe: Recipe) -> dict[str, Any]:
    objective = recipe.objective
    return {
        "loss_type": objective.loss,
        "beta": objective.beta,
        "use_bias_correction_kl": False,  # k3 as published; True multiplies it by the ratio, which changes its gradient
        "epsilon": objective.epsilon,
        "epsilon_high": objective.epsilon if objective.epsilon_high is None else objective.epsilon_high,
        "delta": None,
        "scale_rewards": objective.scale,
        "num_iterations": objective.iterations,
        "importance_sampling_level": "token",
        "multi_objective_aggregation": "sum_then_normalize",
        "reward_weights": list(reward_weights(recipe.reward).values()),
        "mask_truncated_completions": objective.mask_truncated,
        "top_entropy_quantile": 1.0,
        "entropy_coef": 0.0,
        "use_adaptive_entropy": False,
        "off_policy_mask_threshold": None,
        "router_aux_loss_coef": None,
        "label_smoothing_factor": 0.0,
        "neftune_noise_alpha": None,
        "sync_ref_model": False,
        "disable_dropout": True,  # old, new and reference log-probabilities of the same weights have to be equal
        "cast_lm_head_to_fp32": False,
    }


def _sampling(recipe: Recipe, suppressed: Sequence[int]) -> dict[str, Any]:
    rollout = recipe.rollout
    vllm = rollout.vllm
    settings: dict[str, Any] = {
        "num_generations": rollout.group,
        "temperature": rollout.temperature,
        "top_k": rollout.top_k,
        "top_p": rollout.top_p,
        "min_p": None,
        "repetition_penalty": 1.0,
        "max_completion_length": rollout.max_new_tokens,
        "generation_kwargs": {"suppress_tokens": list(suppressed)} if suppressed and vllm is None else None,
        "cache_implementation": None,
        "use_transformers_continuous_batching": False,
        "use_vllm": vllm is not None,
        "vllm_importance_sampling_correction": False,  # as published; True masks sequences whose log-probabilities differ
    }
    if vllm is not None:
        settings |= {
            "vllm_mode": vllm.mode,
            "vllm_server_host": vllm.host,
            "vllm_server_port": vllm.port,
            "vllm_gpu_memory_utilization": vllm.memory,
            "vllm_tensor_parallel_size": 1,
        }
    return settings


def _steps(recipe: Recipe, steps: int, split: Batches) -> dict[str, Any]:
    return {
        "max_steps": steps,
        "per_device_train_batch_size": split.per_device,
        "gradient_accumulation_steps": split.accumulated,
        "steps_per_generation": split.accumulated,  # new completions every step, and checkpoints between generations only
        "shuffle_dataset": False,  # the order is training.data's seeded schedule
        "log_completions": False,
        **optimization(recipe),
    }


def optimization(recipe: Recipe) -> dict[str, Any]:
    """Returns the optimizer, its schedule and the seeds, for every trainer of ours."""
    optimizer = recipe.optimizer
    return {
        "optim": "adamw_torch",
        "learning_rate": optimizer.learning_rate,
        "lr_scheduler_type": "constant_with_warmup" if optimizer.schedule == "constant" else optimizer.schedule,
        "warmup_steps": optimizer.warmup_steps,
        "adam_beta1": ADAM_BETAS[0],
        "adam_beta2": ADAM_BETAS[1],
        "adam_epsilon": ADAM_EPSILON,
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.max_grad_norm,
        "seed": recipe.run.seed,
        "data_seed": recipe.run.seed,
    }


def machine(recipe: Recipe, processes: int) -> dict[str, Any]:
    """Returns the settings that depend on the machine, for every trainer of ours."""
    on_gpu = torch.cuda.is_available()
    checkpointing = recipe.optimizer.gradient_checkpointing
    return {
        "use_cpu": not on_gpu,
        "ddp_backend": "gloo" if not on_gpu and processes > 1 else None,
        "bf16": recipe.policy.dtype == "bfloat16",
        "fp16": False,
        "tf32": None,
        "activation_checkpointing": checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False} if checkpointing else None,
        "remove_unused_columns": False,  # rewards need the question's id
        "dataloader_num_workers": 0,  # a step loads a handful of images; workers would each hold the whole pool
        "dataloader_drop_last": True,
        "dataloader_pin_memory": False,
        "auto_find_batch_size": False,
        "torch_compile": False,
        "use_liger_kernel": False,
    }


def output(recipe: Recipe) -> dict[str, Any]:
    """Returns what is logged and saved, and how often, for every trainer of ours."""
    run = recipe.run
    return {
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # a loss that is not a number has to be seen
        "disable_tqdm": True,
        "report_to": list(run.report_to),
        "eval_strategy": "no",  # training.validation decodes greedily and scores masks
        "save_strategy": "steps",
        "save_steps": run.save_every,
        "save_total_limit": None,  # training.checkpoints removes the old ones
        "save_only_model": False,
        "restore_callback_states_from_checkpoint": False,  # training.checkpoints holds the state of the guards
        "ignore_data_skip": False,
        "push_to_hub": False,
    }
