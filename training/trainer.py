"""TRL's GRPOTrainer with our rollouts, rewards and checkpoints; the loss, the sampling of steps and the optimizer are TRL's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import trl
from datasets import Dataset
from torch import Tensor
from transformers import TrainerCallback
from trl.models import unwrap_model_for_generation
from trl.trainer.utils import split_pixel_values_by_grid, split_tensor_dict, unsplit_pixel_values_by_grid

from t2s_agent.errors import T2SError
from t2s_agent.prompting.frames import Size
from t2s_agent.prompting.inputs import visual_tokens
from t2s_agent.prompting.style import style_named
from training import checkpoints
from training.data import Questions
from training.given import GivenCompletions
from training.guards import require_pictures
from training.objective import grpo_config, reward_weights
from training.policy import Opened
from training.recipe import Recipe
from training.rewards.asked import Asked, Judged, kinds_of
from training.rollouts.generation import generate
from training.rollouts.scoring import log_probs
from training.rollouts.sharing import shares_prompts
from training.vllm_check import checked

State = Mapping[str, Any]


class Judge(Protocol):
    """What gives the rewards: training.rewards.engine.RewardEngine."""

    def judge(
        self, asked: Sequence[Asked], completions: Sequence[str], tokens: Sequence[int] | None = None
    ) -> list[Judged]:
        """One judgement a completion; `tokens` are their lengths, for a reward of the length."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """One completion of the last step, as it was judged."""

    asked: Asked
    question: str
    text: str
    judged: Judged


class MaskGRPOTrainer(trl.GRPOTrainer):  # type: ignore[misc]  # trl is not typed
    """Trains an opened policy on a recipe's questions by the masks that its completions lead to.

    `out` gets the folder `checkpoints`; `more` goes to TRL's trainer. `last` holds this process's rollouts of the last step.
    """

    _buffered_inputs: Any

    def __init__(
        self,
        recipe: Recipe,
        opened: Opened,
        questions: Questions,
        judge: Judge,
        out: Path,
        *,
        steps: int,
        callbacks: Sequence[TrainerCallback] = (),
        **more: Any,
    ) -> None:
        self.recipe, self.opened, self.questions = recipe, opened, questions
        self.folder = out / "checkpoints"
        self.last: list[Rollout] = []
        self._judge = judge
        self._rows: list[int] = []  # of the completions that are being drawn: numbers of questions
        file = recipe.rollout.completions
        self._given = GivenCompletions(file) if file else None
        config = opened.checkpoint.model.config
        super().__init__(
            model=opened.model,
            processing_class=opened.processor,
            reward_funcs=[self._reward(name) for name in reward_weights(recipe.reward)],
            args=grpo_config(recipe, out, steps=steps, suppressed=visual_tokens(config)),
            train_dataset=Dataset.from_dict({"row": list(range(_asked(recipe, steps)))}),
            callbacks=list(callbacks),
            **more,
        )
        if self.use_vllm:
            generation = self.vllm_generation
            generation.generate = checked(generation.generate, opened.processor.image_token_id)
        divided = self.is_fsdp_enabled or self._has_divided_weights()
        self._shares = recipe.rollout.engine == "shared" and shares_prompts(opened.model) and not divided
        if divided and recipe.objective.resample:
            what = "objective.resample draws on some processes only, which would wait for the others' weights for ever"
            raise T2SError(
                "argument_invalid", what, "Set objective.resample=0, or train with ZeRO-2 or without dividing weights"
            )
        self._require_reference()

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._rows = [int(each["row"]) for each in inputs]
        items = {row: self.questions[row] for row in dict.fromkeys(self._rows)}  # each picture is read once
        return dict(super()._generate_and_score_completions([dict(items[row]) for row in self._rows]))

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """As TRL's, without its shuffle: the completions of a group stay together, so their prompt is computed once."""
        if not self.model.training:
            return super()._prepare_inputs(generation_batch)
        parts = self.args.steps_per_generation
        if self._step % (parts * self.num_iterations) == 0 or self._buffered_inputs is None:
            batch = split_pixel_values_by_grid(self._generate_and_score_completions(generation_batch))
            self._buffered_inputs = [unsplit_pixel_values_by_grid(part) for part in split_tensor_dict(batch, parts)]
        return self._buffered_inputs[self._step % parts]

    def _generate_single_turn(
        self, prompt_ids: Any, images: Any, multimodal_fields: Any, num_generations: int, has_tool_images: bool = False
    ) -> tuple[list[list[int]], Any]:
        """Draws a completion a prompt, judges it, and draws groups without spread again, as the recipe says."""
        del has_tool_images
        everything = list(range(len(prompt_ids)))
        tokens, sampled = self._draw(everything, prompt_ids, images, multimodal_fields, num_generations)
        rollouts = self._judged(everything, tokens)
        redrawn = 0
        for _ in range(self.recipe.objective.resample):
            again = [index for group in _groups(self._rows) for index in group if _spread(rollouts, group) == 0.0]
            if not again:
                break
            redrawn += len(again)
            tokens_again, sampled_again = self._draw(again, prompt_ids, images, multimodal_fields, num_generations)
            for index, new, rollout in zip(again, tokens_again, self._judged(again, tokens_again), strict=True):
                tokens[index], rollouts[index] = new, rollout
            if sampled is not None and sampled_again is not None:
                for index, new in zip(again, sampled_again, strict=True):
                    sampled[index] = new
        self.last = rollouts
        self._log_rollouts(rollouts, redrawn)
        return tokens, sampled

    def _draw(
        self, chosen: Sequence[int], prompt_ids: Any, images: Any, fields: Any, num_generations: int
    ) -> tuple[list[list[int]], Any]:
        """Token lists up to and with the end token for the prompts of these places, and log-probabilities where vLLM gives them."""
        if self._given is not None:
            return self._read_given(), None
        ids = [prompt_ids[index] for index in chosen]
        some = self._part_of(fields, images, chosen)
        if not self._shares:
            pictures = None if images is None else [images[index] for index in chosen]
            if self.use_vllm and pictures is not None:  # its own processor then has nothing to resize
                pictures = [[self.opened.processor.builder.resized(one) for one in each] for each in pictures]
            tokens, sampled = super()._generate_single_turn(ids, pictures, some, num_generations)
            return list(tokens), sampled
        padded = self._tokenizer.pad({"input_ids": ids}, padding_side="left", return_tensors="pt")
        inputs = self._prepare_input({**padded, **_pictures(some)})
        with unwrap_model_for_generation(
            self.model_wrapped,
            self.accelerator,
            generation_kwargs=self.generation_kwargs,
            gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
        ) as model:
            return generate(model, inputs, self.generation_config), None

    def _part_of(self, fields: State, images: Any, chosen: Sequence[int]) -> dict[str, Any]:
        """The processor's fields of the rows of these places, each of which has one picture."""
        grids = fields.get("image_grid_thw")
        counts = self.opened.processor.builder.counts([each[0] for each in images])
        parts = fields["pixel_values"].split(counts if grids is None else grids.prod(-1).tolist())
        own = {"pixel_values": torch.cat([parts[index] for index in chosen])}
        if grids is not None:
            own["image_grid_thw"] = grids[list(chosen)]
        return {
            key: own[key] if key in own else [value[index] for index in chosen] if isinstance(value, list) else value
            for key, value in fields.items()
        }

    def _read_given(self) -> list[list[int]]:
        """The completions of the file for this process's part of the step."""
        assert self._given is not None
        group, before = self.num_generations, self.accelerator.process_index * len(self._rows)
        tokens = []
        for place, row in enumerate(self._rows):
            id_ = self.questions.schedule.at(row).id
            text = self._given.texts(self.state.global_step, id_, group)[(before + place) % group]
            written = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            tokens.append([*written, self._tokenizer.eos_token_id][: self.max_completion_length])
        return tokens

    def _judged(self, chosen: Sequence[int], tokens: Sequence[Sequence[int]]) -> list[Rollout]:
        rows = [self._rows[index] for index in chosen]
        found = {row: self._asked_at(row) for row in dict.fromkeys(rows)}
        texts = [self.opened.processor.decode(each) for each in tokens]
        judged = self._judge.judge([found[row][0] for row in rows], texts, [len(each) for each in tokens])
        return [Rollout(*found[row], text, each) for row, text, each in zip(rows, texts, judged, strict=True)]

    def _asked_at(self, row: int) -> tuple[Asked, str]:
        asked, pool = self.questions.schedule.at(row), self.questions.pool
        view = pool.view(asked.id)
        frame = self.opened.processor.rule.frame(Size(view.width, view.height))
        return Asked(asked.id, view, pool.truth(asked.id), style_named(asked.style), frame), asked.question

    def _reward(self, name: str) -> Any:
        """A reward function of TRL that gives one part of the judgements."""

        def part(completions: Sequence[Any], **_: Any) -> list[float]:
            if len(completions) != len(self.last):
                raise RuntimeError(f"{len(completions)} completions are rewarded, {len(self.last)} were judged")
            return [rollout.judged.rewards[name] for rollout in self.last]

        part.__name__ = name
        return part

    def _log_rollouts(self, rollouts: Sequence[Rollout], redrawn: int) -> None:
        groups = list(_groups(self._rows))
        judged = [each.judged for each in rollouts]
        share = 1 / len(rollouts)
        self._log_metric("answers/unparsable", share * sum(each.status == "unparsable" for each in judged))
        self._log_metric("answers/iou", share * sum(each.iou for each in judged))
        self._log_metric("groups/distinct", share * sum(len({rollouts[i].text for i in group}) for group in groups))
        self._log_metric("groups/spread", sum(_spread(rollouts, group) for group in groups) / len(groups))
        self._log_metric("groups/redrawn", share * redrawn)
        for kind, times in kinds_of(judged).items():
            self._log_metric(f"answers/unparsable/{kind}", share * times)

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, **options: Any
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """As TRL's, with each distinct picture and prompt computed once. Refuses a batch that lost its pictures."""
        pixels, grids, counts = (options.get(key) for key in ("pixel_values", "image_grid_thw", "num_images"))
        image_tokens = int((input_ids == self.opened.processor.image_token_id).sum())
        features = 0 if pixels is None else self.opened.processor.builder.tokens_of(pixels)
        require_pictures(len(input_ids), sum(counts or ()), image_tokens, features)
        if not self._shares:
            plain = super()._get_per_token_logps_and_entropies
            first, second, third = plain(model, input_ids, attention_mask, logits_to_keep, **options)
            return first, second, third
        assert pixels is not None
        assert grids is not None
        assert counts is not None
        with self.accelerator.autocast():
            scores = log_probs(
                model,
                input_ids,
                attention_mask,
                logits_to_keep,
                pixel_values=pixels,
                image_grid_thw=grids,
                num_images=counts,
                rows_at_once=options.get("batch_size"),
            )
        return scores.log_probs, scores.entropies if options.get("compute_entropy") else None, None

    def _has_divided_weights(self) -> bool:
        """Whether DeepSpeed divides the weights among the processes (ZeRO-3), so that all have to run a model together."""
        plugin = self.args.deepspeed_plugin
        return plugin is not None and plugin.zero_stage == 3

    def _require_reference(self) -> None:
        """The reference model, which TRL loads by its name, has to be the policy's start; a resumed run loads its weights later."""
        if self.ref_model is None or self.is_deepspeed_enabled or self.is_fsdp_enabled:
            return
        reference = dict(self.accelerator.unwrap_model(self.ref_model).named_parameters())
        for name, weight in self.accelerator.unwrap_model(self.model).named_parameters():
            if name not in reference or not torch.equal(weight, reference[name]):
                what = f"the reference model of {self.opened.name} differs from the policy's start in {name}"
                raise T2SError("model_unavailable", what, "Give policy.name as a folder that holds the start weights")

    def _get_output_dir(self, trial: Any) -> str:
        del trial
        return str(checkpoints.aside(self.folder, self.state.global_step))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Saves everything aside, then publishes it at once; between two generations only."""
        if self._step % (self.args.steps_per_generation * self.num_iterations):
            raise RuntimeError(f"step {self.state.global_step} lies within a generation: its completions would be lost")
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            checkpoints.publish(self.folder, self.state.global_step, {"processes": self.accelerator.num_processes})
            checkpoints.remove_old(self.folder, self.recipe.run.keep)
        self.accelerator.wait_for_everyone()

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Nothing: training.card makes the card of a run."""

    def _send_telemetry(self) -> None:
        """Nothing is sent."""


def _asked(recipe: Recipe, steps: int) -> int:
    """How many questions are asked in so many optimizer steps."""
    return math.ceil(steps / recipe.objective.iterations) * recipe.optimizer.prompts


def _groups(rows: Sequence[int]) -> list[list[int]]:
    """Places of equal rows that follow each other: the groups, or the parts of them that this process has."""
    groups: list[list[int]] = []
    for index, row in enumerate(rows):
        if not groups or rows[groups[-1][0]] != row:
            groups.append([])
        groups[-1].append(index)
    return groups


def _spread(rollouts: Sequence[Rollout], group: Sequence[int]) -> float:
    """The standard deviation of a group's total rewards."""
    totals = torch.tensor([rollouts[index].judged.total for index in group], dtype=torch.float64)
    return float(totals.std()) if len(totals) > 1 else 0.0


def _pictures(fields: State) -> dict[str, Any]:
    return {key: fields[key] for key in ("pixel_values", "image_grid_thw")}
