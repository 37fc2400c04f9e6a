"""A recipe: all settings of a training run as one value, read from a YAML file and changed by `key=value`.

The files are in training/recipes. Every key is a field below, so a wrong name or value is refused before anything is loaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from t2s_agent.errors import T2SError
from t2s_agent.prompting.style import STYLES

FOLDER = Path(__file__).parent / "recipes"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Lora(_Part):
    """Low-rank adapters on the language model; the vision tower gets none unless `vision` is set."""

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    vision: bool = False


class Policy(_Part):
    """The model that is trained. `square` (px) is the side that every image is stretched to; None: the checkpoint's own rule."""

    name: str  # a hub name or a folder
    revision: str | None = None
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    square: int | None = Field(default=None, ge=28)
    freeze_vision: bool = False
    lora: Lora | None = None

    @model_validator(mode="after")
    def _tower_is_frozen_or_adapted(self) -> "Policy":
        if self.freeze_vision and self.lora and self.lora.vision:
            raise ValueError("freeze_vision and lora.vision contradict each other")
        return self


class Segmenter(_Part):
    """The frozen model that turns prompts into masks. Embeddings are kept in the folder `embeddings`, up to `embedding_bytes`."""

    name: str = "nano"
    dtype: Literal["float32", "bfloat16"] = "float32"
    embeddings: Path | None = None
    embedding_bytes: int = Field(default=20 * 2**30, ge=0)


class Source(_Part):
    """One dataset of evals.datasets. `weight` is its share of the questions, relative to the other sources.

    `options` are the dataset's own (evals.datasets.open_dataset), such as `kinds` and `phrasing` of its question bank.
    `part` divides a split in two that share no value of `part_by` (an entry of the samples' metadata, or `image_id`):
    `validation` has `validation_share` of the values, chosen by a hash, `train` the others. With `part_by` None it is the first of
    `stretch`, `block`, `source` and `image_id` that all samples have: `stretch` keeps neighbouring crops of one picture together.
    """

    dataset: str
    root: Path | None = None
    split: str = "train"
    part: Literal["all", "train", "validation"] = "all"
    part_by: str | None = None
    validation_share: float = Field(default=0.15, gt=0, lt=1)
    options: dict[str, Any] = {}
    weight: float = Field(default=1.0, gt=0)


class Data(_Part):
    """Where questions come from.

    `questions` says which questions of an image a pass asks: `rotate` one, another in each pass, in a seeded order; `all` all;
    `first` the first; `one` a drawn one, the same in each pass. `view` is how both models are shown an image (evals.run.views):
    `served` as the product does, `square:840` stretched as the paper does. `styles` (of t2s_agent.prompting.style) are mixed in equal shares.
    """

    train: tuple[Source, ...] = Field(min_length=1)
    validation: tuple[Source, ...] = ()
    questions: Literal["rotate", "all", "first", "one"] = "rotate"
    view: str = Field(default="served", pattern=r"^(served|square:\d{2,4})$")
    styles: tuple[str, ...] = Field(default=("box_2_points",), min_length=1)
    on_broken: Literal["stop", "skip"] = "stop"

    @model_validator(mode="after")
    def _known_styles(self) -> "Data":
        unknown = [style for style in self.styles if style not in STYLES]
        if unknown:
            raise ValueError(f"no prompt style is called {', '.join(unknown)}; styles: {', '.join(STYLES)}")
        return self


class Reward(_Part):
    """The weighted sum of rewards, each in 0..1. The paper's: mask 2, valid_json 1, valid_tags 1, level semantic.

    `strict`: an answer that strict parsing refuses has no masks; else it has those that the product would use, and still no reward
    for valid JSON. `same` is the IoU above which a box repeats another one and is left out (1: none is).

    `level` semantic: the IoU of the union of all masks; instance: masks are matched with the true objects one by one. `weigh` objects
    lets each true object weigh the same in the union's IoU. `calibration` rewards a stated confidence for being near the IoU.
    `boxes` rewards the IoU of the boxes with those of the true objects, matched one by one: for comparison, with `mask` 0.
    `length` falls from 1 to 0 over the last `length_buffer` tokens before the limit.
    """

    mask: float = Field(default=2.0, ge=0)
    valid_json: float = Field(default=1.0, ge=0)
    valid_tags: float = Field(default=1.0, ge=0)
    boxes: float = Field(default=0.0, ge=0)
    calibration: float = Field(default=0.0, ge=0)
    length: float = Field(default=0.0, ge=0)
    level: Literal["semantic", "instance"] = "semantic"
    weigh: Literal["pixels", "objects"] = "pixels"
    length_buffer: int = Field(default=128, ge=1)
    strict: bool = True
    same: float = Field(default=0.7, gt=0, le=1)


class Vllm(_Part):
    """Rollouts by vLLM: a server of its own, or, after the check of prompt ids, in the training process (`colocate`)."""

    mode: Literal["server", "colocate"] = "server"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    memory: float = Field(default=0.3, gt=0, lt=1)  # share of the GPU's memory, colocate only


class Rollout(_Part):
    """How completions are drawn. `engine`: `shared` computes a group's picture and prompt once; `transformers` is TRL's own way."""

    group: int = Field(default=16, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_new_tokens: int = Field(default=1024, ge=1)
    engine: Literal["shared", "transformers", "vllm"] = "shared"
    vllm: Vllm | None = None
    turns: Literal[1, 2] = 1
    completions: Path | None = None  # a file of completions to take instead of drawing them

    @model_validator(mode="after")
    def _vllm_has_settings(self) -> "Rollout":
        if (self.engine == "vllm") != (self.vllm is not None):
            raise ValueError("engine vllm and the part vllm belong together")
        return self


class Objective(_Part):
    """The loss. The paper's: grpo, beta 0.001, epsilon 0.2, scaled by the group's standard deviation."""

    loss: Literal["grpo", "dapo", "dr_grpo"] = "grpo"
    beta: float = Field(default=0.001, ge=0)
    epsilon: float = Field(default=0.2, gt=0, lt=1)
    epsilon_high: float | None = Field(default=None, gt=0)
    scale: Literal["group", "batch", "none"] = "group"
    iterations: int = Field(default=1, ge=1)
    mask_truncated: bool = False
    resample: int = Field(default=0, ge=0)  # how often a group without spread is drawn again


class Supervised(_Part):
    """The cold start: answers made from the truth. `clicks` are chosen one by one where the segmenter errs."""

    clicks: int = Field(default=0, ge=0, le=8)
    most_instances: int = Field(default=16, ge=1)
    thinking: str = (
        "The question asks for {category}."  # {category}: the dataset's name of what is asked, else the question
    )


class Optimizer(_Part):
    """`prompts` is the number of questions in one optimizer step, over all processes; `per_device` sequences are in memory at once."""

    learning_rate: float = Field(default=1e-6, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    prompts: int = Field(default=4, ge=1)
    per_device: int = Field(default=16, ge=1)
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    gradient_checkpointing: bool = True

    @model_validator(mode="after")
    def _one_length(self) -> "Optimizer":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self


class Guards(_Part):
    """Limits of what is watched in a run (training/guards.py); null: not watched.

    `warn_after` steps in a row beyond a limit give a warning; `stop_after` steps beyond that of KL (nats a token) or entropy (nats
    a token) stop the run.
    """

    most_kl: float | None = Field(default=1.0, gt=0)
    least_entropy: float | None = Field(default=0.003, ge=0)
    most_entropy: float | None = Field(default=5.0, gt=0)
    least_distinct: float | None = Field(default=0.25, ge=0, le=1)  # share of a group's completions
    most_zero_advantage: float | None = Field(default=0.75, ge=0, le=1)  # share of groups
    least_spread: float | None = Field(default=0.01, ge=0)  # standard deviation of the total reward within a group
    most_truncated: float | None = Field(default=0.25, ge=0, le=1)  # share of completions
    most_unparsable: float | None = Field(default=0.5, ge=0, le=1)  # share of completions
    warn_after: int = Field(default=5, ge=1)
    stop_after: int = Field(default=20, ge=1)


class Run(_Part):
    """What is written, and how often (in optimizer steps; 0: never).

    `validation_tokens` is how long a validation's answers may be; null: as long as rollouts. A longer answer than that is unparsable.
    """

    seed: int = Field(default=42, ge=0)
    save_every: int = Field(default=100, ge=1)
    keep: int = Field(default=3, ge=1)
    pictures_every: int = Field(default=50, ge=0)
    validate_every: int = Field(default=0, ge=0)
    validation_images: int = Field(default=100, ge=1)
    validation_tokens: int | None = Field(default=None, ge=1)
    report_to: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = ("tensorboard",)


class Recipe(_Part):
    """All settings of a run. `about` says what it reproduces, in a sentence."""

    about: str
    policy: Policy
    segmenter: Segmenter = Segmenter()
    data: Data
    reward: Reward = Reward()
    rollout: Rollout = Rollout()
    objective: Objective = Objective()
    supervised: Supervised = Supervised()
    optimizer: Optimizer
    guards: Guards = Guards()
    run: Run = Run()

    @model_validator(mode="after")
    def _two_turns_stand_alone(self) -> "Recipe":
        if self.rollout.turns == 2:
            against = {
                "rollout.engine": self.rollout.engine != "transformers",
                "objective.resample": self.objective.resample > 0,
                "reward.level": self.reward.level != "semantic",
            }
            wrong = [key for key, is_wrong in against.items() if is_wrong]
            if wrong:
                raise ValueError(
                    f"two turns need engine transformers, resample 0 and level semantic: change {', '.join(wrong)}"
                )
        return self

    def to_yaml(self) -> str:
        """The recipe as a file that `load_recipe` reads back to an equal one."""
        return str(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_recipe(name: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe by name (of training/recipes) or file, with `changes` as `part.key=value` (values in YAML).

    Raises `argument_invalid` that names each key which is unknown, has a wrong value, or contradicts another.
    """
    path = Path(name)
    if not path.suffix:
        path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise T2SError(
            "argument_invalid", f"there is no recipe {name}", f"Recipes: {', '.join(recipe_names())}; or a YAML file"
        )
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise T2SError("argument_invalid", f"{path.name} is not YAML: {error}", "Mend the file") from error
    if not isinstance(plain, dict):
        raise T2SError("argument_invalid", f"{path.name} holds no settings", "See training/recipes for examples")
    for change in changes:
        _set(plain, change)
    try:
        return Recipe.model_validate(plain)
    except ValidationError as error:
        raise T2SError("argument_invalid", f"{path.name}: {_told(error)}", "The keys: training/README.md") from None


def _set(plain: dict[str, Any], change: str) -> None:
    """Sets one value of the nested settings, in place."""
    key, equals, value = change.partition("=")
    if not equals or not all(key.split(".")):
        raise T2SError("argument_invalid", f"{change!r} is no change", "Write part.key=value, as optimizer.steps=20")
    *parts, last = key.split(".")
    at: Any = plain
    for part in parts:
        if isinstance(at, list):
            at = at[int(part)] if part.isdigit() and int(part) < len(at) else None
        elif isinstance(at, dict):
            if at.get(part) is None:
                at[part] = {}
            at = at[part]
        if not isinstance(at, dict | list):
            raise T2SError("argument_invalid", f"{change!r}: {part} has no parts", "Write part.key=value")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise T2SError("argument_invalid", f"{change!r}: the value is not YAML", "Quote it") from error
    if isinstance(at, list):
        if not last.isdigit() or int(last) >= len(at):
            raise T2SError("argument_invalid", f"{change!r}: there is no entry {last}", "Entries are numbered from 0")
        at[int(last)] = parsed
    else:
        at[last] = parsed


def _told(error: ValidationError) -> str:
    """All that is wrong, by key."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'recipe'}: {each['msg']}" for each in error.errors())
