"""Measures the model in training on validation questions: greedy answers, read as the product reads them, and the masks they give.

The questions are the same for all runs on the same data, whatever their seed: one of each image, of `run.validation_images` images.
Numbers are those of the protocol `t2s` (evals.protocols), with 95 % intervals over images that belong together, and the format rate:
the share of answers that strict parsing accepts.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from transformers import GenerationConfig, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl.models.utils import unwrap_model_for_generation

from evals.metrics import Interval, Ratios, Row
from evals.metrics.row import Baseline
from evals.protocols import protocol_named, score
from evals.protocols.grids import ORIGINAL
from evals.run.facts import boxes_in_image, grid_facts, place_of
from evals.run.shards import ALONE, Shard
from t2s_agent.errors import T2SError
from t2s_agent.prompting.frames import Size
from t2s_agent.prompting.inputs import chat_of, visual_tokens
from t2s_agent.prompting.style import style_named
from t2s_agent.segmenting.segmenter import Segmenter
from training.pool import Pool, Question
from training.processor import Processor
from training.readable import readable
from training.recipe import Recipe
from training.rewards.asked import Asked, Judged
from training.rewards.engine import RewardEngine
from training.rollouts.generation import generate

PREFIX = "validation/"  # of the names of numbers in metrics.jsonl
FOLDER = "validation"  # in a run's folder: the rows of each validation
FORMAT = "format rate"
REPORTED = ("gIoU", "cIoU", "P@0.5", "N-acc", "T-acc", FORMAT, "tokens")
BASELINES: tuple[Baseline, ...] = ("whole image", "empty answer")
RESAMPLES = 1000
_AT_ONCE = 16  # answers that are written together, at most
_VALID = "valid_json"  # in a row's metadata


class Validator:
    """Answers the validation questions of a recipe with the model that is given."""

    def __init__(self, recipe: Recipe, processor: Processor, segmenter: Segmenter, folder: Path | None = None) -> None:
        """Lists the questions; `argument_invalid` where the recipe has no data for validation.

        `folder` is the run's, needed where `data.on_broken` is "skip" (training.readable).
        """
        if not recipe.data.validation:
            raise T2SError("argument_invalid", "the recipe has no validation data", "Set data.validation")
        pool = Pool.open(recipe.data.validation, recipe.data)
        if recipe.data.on_broken == "skip" and folder is not None:
            pool = readable(pool, folder / FOLDER)
        self.pool = pool
        self.questions = chosen(pool, recipe.run.validation_images, recipe.data.styles)
        self._processor = processor
        # read as served: an answer that strict parsing refuses has the instances that the product would use
        served = {"strict": False, "boxes": 0.0, "calibration": 0.0, "length": 0.0}
        self._engine = RewardEngine(segmenter, recipe.reward.model_copy(update=served))
        self._at_once = min(_AT_ONCE, recipe.optimizer.per_device)
        self._most_tokens = recipe.run.validation_tokens or recipe.rollout.max_new_tokens

    def rows(self, model: Any, shard: Shard = ALONE) -> list[Row]:
        """The scored answers of this shard's questions. The model's mode and torch's random state stay as they were."""
        training = model.training
        model.eval()
        own = self.questions[shard.rank :: shard.world]
        rows = []
        for start in range(0, len(own), self._at_once):
            asked = own[start : start + self._at_once]
            rows += self._scored(asked, *self._answers(model, asked))
        model.train(training)
        return rows

    def _answers(self, model: Any, asked: Sequence[Question]) -> tuple[list[str], list[int]]:
        """The answers' texts, and their numbers of tokens."""
        views = [self.pool.view(each.id) for each in asked]
        chats = [chat_of(style_named(each.style), each.question) for each in asked]
        inputs = {name: tensor.to(model.device) for name, tensor in self._processor.builder.build(views, chats).items()}
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=self._most_tokens,
            eos_token_id=model.generation_config.eos_token_id or self._processor.tokenizer.eos_token_id,
            pad_token_id=self._processor.tokenizer.pad_token_id,
            suppress_tokens=visual_tokens(model.config),
        )
        written = generate(model, inputs, config)
        return [self._processor.decode(row) for row in written], [len(row) for row in written]

    def _scored(self, asked: Sequence[Question], texts: Sequence[str], tokens: Sequence[int]) -> list[Row]:
        questions = [self._asked(each) for each in asked]
        judged = self._engine.judge(questions, texts)
        return [self._row(*each) for each in zip(asked, judged, tokens, strict=True)]

    def _asked(self, question: Question) -> Asked:
        view = self.pool.view(question.id)
        frame = self._processor.rule.frame(Size(view.width, view.height))
        return Asked(question.id, view, self.pool.truth(question.id), style_named(question.style), frame)

    def _row(self, question: Question, judged: Judged, tokens: int) -> Row:
        sample, view = self.pool.sample(question.id), self.pool.view(question.id)
        truth = sample.read_truth()
        item, index, cluster = place_of(sample)
        boxes = boxes_in_image(judged.instances, (view.height, view.width), truth.mask.shape)
        return Row(
            id=question.id,
            image_id=question.image_id,
            item=f"{question.source}/{item}",
            question_index=index,
            cluster=f"{question.source}/{cluster}",
            question=question.question,
            status=judged.status,
            instances=len(judged.instances),
            without_prompt=0,
            true_instances=None if truth.instances is None else len(truth.instances),
            known=truth.known,
            tokens=tokens,
            seconds=0.0,
            segment_seconds=0.0,
            grids=grid_facts(judged.union.full(view.height, view.width), boxes, truth, {ORIGINAL.name: ORIGINAL}),
            metadata={**sample.metadata, _VALID: judged.rewards["valid_json"]},
        )


def chosen(pool: Pool, images: int, styles: Sequence[str]) -> tuple[Question, ...]:
    """One question of each of `images` images: a part of the pool that no seed changes. Styles follow each other in turn."""
    of_image: dict[str, list[str]] = {}
    for id_ in sorted(pool.ids, key=_lot):
        of_image.setdefault(pool.image_id(id_), []).append(id_)
    few = sorted(of_image, key=_lot)[:images]
    return tuple(
        pool.asked(of_image[image][0], styles[number % len(styles)]) for number, image in enumerate(sorted(few))
    )


def _lot(name: str) -> bytes:
    return hashlib.sha256(f"validation|{name}".encode()).digest()


def numbers(rows: Sequence[Row]) -> dict[str, Interval]:
    """The reported metrics of rows, with their intervals."""
    found = score(rows, protocol_named("t2s"), resamples=RESAMPLES).metrics
    valid = [float(row.metadata[_VALID]) for row in rows]
    strict = Ratios.of([([row.cluster for row in rows], {FORMAT: (valid, [1.0] * len(rows))})])
    found = {**found, **strict.intervals(resamples=RESAMPLES)}
    return {name: found[name] for name in REPORTED}


def logged(rows: Sequence[Row], *, baselines: bool = False) -> dict[str, float]:
    """The metrics as numbers for metrics.jsonl: `validation/gIoU`, `validation/gIoU low` and `high`, and so on.

    With `baselines` also gIoU and cIoU of answers that need no model: the whole image, and nothing.
    """
    found: dict[str, float | None] = {}
    for name, interval in numbers(rows).items():
        found[name] = interval.value
        found |= {f"{name} low": interval.low, f"{name} high": interval.high}
    for baseline in BASELINES if baselines else ():
        trivial = score([row.baseline(baseline) for row in rows], protocol_named("t2s"), resamples=0).metrics
        found |= {f"{name} of {baseline}": trivial[name].value for name in ("gIoU", "cIoU")}
    return {f"{PREFIX}{name}": value for name, value in found.items() if value is not None}


@dataclass(slots=True)
class Measuring(TrainerCallback):
    """Validates before the first step, every `every` steps, and after the last one: logs numbers, and keeps the rows in the run's folder."""

    validator: Validator
    folder: Path
    every: int
    trainer: Trainer
    done: int | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        del args, control, kwargs
        if not rows_file(self.folder, state.global_step).is_file():
            self.measure(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        del args, kwargs
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            due = control.should_log
            self.measure(state.global_step)
            control.should_log = due  # logging resets it, and the step's own numbers are still to be logged

    def measure(self, step: int) -> None:
        """Validates now; every process takes part, the first one logs."""
        accelerator = self.trainer.accelerator
        shard = Shard(accelerator.process_index, accelerator.num_processes)
        checkpointing = self.trainer.args.gradient_checkpointing_kwargs
        with unwrap_model_for_generation(
            self.trainer.model_wrapped, accelerator, gradient_checkpointing_kwargs=checkpointing
        ) as model:
            rows = gather_object(self.validator.rows(model, shard))
        if accelerator.is_main_process:
            write_rows(rows_file(self.folder, step), rows)
        # the base class's log: a subclass may add its own numbers, which belong to the next step
        Trainer.log(self.trainer, logged(rows, baselines=self.done is None))
        self.done = step


def add_validation(trainer: Trainer, recipe: Recipe, processor: Processor, segmenter: Segmenter, folder: Path) -> None:
    """Makes a trainer validate as its recipe says; nothing where `run.validate_every` is 0. Rows are kept in the run's `folder`."""
    if every := recipe.run.validate_every:
        trainer.add_callback(Measuring(Validator(recipe, processor, segmenter, folder), folder, every, trainer))


def rows_file(folder: Path, step: int) -> Path:
    """Where the rows of a validation are kept, in a run's folder."""
    return folder / FOLDER / f"step-{step:06d}.jsonl"


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes rows ordered by id, the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text("".join(f"{row.to_json()}\n" for row in sorted(rows, key=lambda row: row.id)), encoding="utf-8")
    part.replace(path)
