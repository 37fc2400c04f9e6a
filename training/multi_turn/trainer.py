"""TRL's trainer with rollouts of two turns, rewarded by the mask after the second.

Where the chat template has tools, the policy calls the environment's tool, and TRL plays both turns. Else its answer is drawn and
a second question is asked with the picture. Either way the tokens and pictures that the policy did not write have no loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import trl
from transformers import TrainerCallback
from trl.chat_template_utils import supports_tool_calling

from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.segmenting.segmenter import Segmenter
from training.data import Questions
from training.multi_turn.environment import Correcting
from training.policy import Opened
from training.recipe import Recipe
from training.rewards.asked import Asked, Judged
from training.rewards.semantic import mask_reward, union_ious
from training.rewards.target import target_of
from training.trainer import Judge, MaskGRPOTrainer, Rollout

FAMILIES = ("qwen2_5_vl", "qwen3_vl")  # whose position ids of a second picture TRL computes


@dataclass(frozen=True, slots=True)
class _Second:
    """One rollout's second turn: the ids of what is shown to the policy, and the picture; `overlong` has no room for it."""

    row: int
    ids: list[int]
    picture: Any
    overlong: bool


class TwoTurnTrainer(MaskGRPOTrainer):
    """As MaskGRPOTrainer, with a correction after the first masks. `segmenter` draws them."""

    def __init__(
        self,
        recipe: Recipe,
        opened: Opened,
        questions: Questions,
        judge: Judge,
        out: Path,
        *,
        steps: int,
        segmenter: Segmenter,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        if opened.family not in FAMILIES:
            raise T2SError(
                "argument_invalid",
                f"rollout.turns is 2 and {opened.name} is of the family {opened.family}",
                f"Choose a policy of {' or '.join(FAMILIES)}, or rollout.turns=1",
            )
        self._segmenter = segmenter
        self._environments: list[Correcting] = []
        self.by_tools = bool(supports_tool_calling(opened.processor))
        own = {"environment_factory": self._environment} if self.by_tools else {}
        super().__init__(recipe, opened, questions, judge, out, steps=steps, callbacks=callbacks, **own)
        if self.by_tools:
            self.max_tool_calling_iterations = 1  # a second call is the policy's last word
        else:
            self.tools = [self._environment().look]  # TRL treats a rollout as one with tools; no prompt shows them
        self.max_completion_length = 2 * recipe.rollout.max_new_tokens  # of both turns; each may write half

    def _environment(self) -> Correcting:
        return Correcting(self._asked_by_id, self._segmenter, self.recipe.reward)

    def _asked_by_id(self, id: str, style: str) -> Asked:
        row = next(row for row in self._rows if self.questions.schedule.at(row).id == id)
        asked, _ = self._asked_at(row)
        if asked.style.name != style:
            raise RuntimeError(f"{id} is asked in the style {asked.style.name}, not {style}")
        return asked

    def _generate_single_turn(
        self, prompt_ids: Any, images: Any, multimodal_fields: Any, num_generations: int, has_tool_images: bool = False
    ) -> tuple[list[list[int]], Any]:
        """Draws one completion for each prompt, by TRL. They are judged when both turns are over."""
        drawn = trl.GRPOTrainer._generate_single_turn
        tokens, sampled = drawn(self, prompt_ids, images, multimodal_fields, num_generations, has_tool_images)
        return list(tokens), sampled

    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        if self.by_tools:
            return super()._tokenize_prompts(prompts)
        tools, self.tools = self.tools, []
        try:
            return super()._tokenize_prompts(prompts)
        finally:
            self.tools = tools

    def _tool_call_loop(
        self,
        prompts: list[Any],
        prompt_ids: list[list[int]],
        completion_ids: list[list[int]],
        completions: list[Any],
        logprobs: Any,
        images: Any,
        multimodal_fields: Any,
    ) -> Any:
        """Plays the second turns, then judges all rollouts by their final masks."""
        firsts = [self.opened.processor.decode(ids) for ids in completion_ids]
        if self.by_tools:
            played = self._by_tools(
                prompts, prompt_ids, completion_ids, completions, logprobs, images, multimodal_fields
            )
            self._environments = list(self.environments)
        else:
            played = self._asked_again(firsts, prompt_ids, completion_ids, completions, images)
        masks, _, ids, *_ = played
        ends = [_after_picture(*each) for each in zip(masks, ids, strict=True)]
        self._judge_both(firsts, [None if end is None else self.opened.processor.decode(end) for end in ends])
        return played

    def _by_tools(self, *given: Any) -> Any:
        """TRL's loop. The room for a result is the model's context: the limit of tokens is for what the policy writes."""
        both, self.max_completion_length = self.max_completion_length, self._context
        try:
            played = super()._tool_call_loop(*given)
        finally:
            self.max_completion_length = both
        if any(each._drawing for each in self.environments):
            raise RuntimeError("the tool failed while it drew masks; TRL shows its error to the policy and goes on")
        return played

    def _asked_again(
        self,
        firsts: list[str],
        prompt_ids: list[list[int]],
        completion_ids: list[list[int]],
        completions: list[Any],
        images: Any,
    ) -> Any:
        """Draws each ended answer's masks, and asks a second question about the picture with them."""
        seconds = self._seconds(firsts, prompt_ids, completion_ids)
        asked = [each for each in seconds if not each.overlong]
        masks = [[1] * len(ids) for ids in completion_ids]
        pictures: list[list[Any]] = [[] for _ in completion_ids]
        if asked:
            shown = [[*images[each.row], each.picture] for each in asked]
            fields = self.processing_class.image_processor(images=shown, return_tensors="pt")
            whole = [prompt_ids[each.row] + completion_ids[each.row] + each.ids for each in asked]
            written, _ = self._generate_single_turn(whole, shown, dict(fields), 1, has_tool_images=True)
            for each, ids in zip(asked, written, strict=True):
                completion_ids[each.row] = completion_ids[each.row] + each.ids + ids
                masks[each.row] += [0] * len(each.ids) + [1] * len(ids)
                pictures[each.row].append(each.picture)
                completions[each.row].append({"role": "assistant", "content": self.opened.processor.decode(ids)})
        return masks, completions, completion_ids, None, len(seconds), 0, pictures

    def _seconds(self, firsts: list[str], prompts: list[list[int]], answers: list[list[int]]) -> list[_Second]:
        self._environments = [self._environment() for _ in firsts]
        seconds = []
        for row, (text, environment) in enumerate(zip(firsts, self._environments, strict=True)):
            question = self.questions.schedule.at(self._rows[row])
            environment.reset(id=question.id, style=question.style)
            if answers[row][-1] not in self.eos_token_ids:
                continue  # cut off: there is no turn after it
            content = environment._show(text)
            ids = next_turn(self.opened, content)
            room = self._context - len(prompts[row]) - len(answers[row]) - len(ids) - self.recipe.rollout.max_new_tokens
            seconds.append(_Second(row, ids, content[0]["image"], overlong=room < 0))
        return seconds

    @property
    def _context(self) -> int:
        return int(self.opened.checkpoint.model.config.get_text_config().max_position_embeddings)

    def _judge_both(self, firsts: list[str], seconds: list[str | None]) -> None:
        """Judges the answers, then replaces the masks of those that were corrected."""
        answers = [each._answer or text for each, text in zip(self._environments, firsts, strict=True)]
        found = {row: self._asked_at(row) for row in dict.fromkeys(self._rows)}
        asked = [found[row][0] for row in self._rows]
        judged = self._judge.judge(asked, answers)
        final = list(judged)
        for index, (environment, second) in enumerate(zip(self._environments, seconds, strict=True)):
            if second is not None:
                environment._correct(second)
                if not environment._correction.empty:
                    final[index] = self._with_masks(judged[index], asked[index], environment)
        texts = [
            first if second is None else f"{first}\n{second}" for first, second in zip(firsts, seconds, strict=True)
        ]
        self.last = [
            Rollout(each, found[row][1], text, one)
            for each, row, text, one in zip(asked, self._rows, texts, final, strict=True)
        ]
        self._log_rollouts(self.last, 0)
        self._log_turns(judged, final, seconds)

    def _with_masks(self, judged: Judged, asked: Asked, environment: Correcting) -> Judged:
        """A judgement with the final masks in place of the first."""
        union, target = environment._union(), target_of(asked, torch.device("cpu"))
        [iou] = union_ious(torch.from_numpy(union)[None], target)
        empty = judged.status != "unparsable" and not union.any()
        mask = mask_reward(iou, nothing_said=empty, target=target)
        total = judged.total + self.recipe.reward.mask * (mask - judged.rewards["mask"])
        return replace(judged, rewards={**judged.rewards, "mask": mask}, total=total, iou=iou, union=Mask.of(union))

    def _log_turns(self, before: Sequence[Judged], after: Sequence[Judged], seconds: Sequence[str | None]) -> None:
        """Logs shares of the rollouts, and what corrections changed in IoU on average over all."""
        share = 1 / len(before)
        shown = [each._answer is not None for each in self._environments]
        corrections = [each._correction for each in self._environments]
        overlong = [seen and second is None for seen, second in zip(shown, seconds, strict=True)]
        self._log_metric("turns/shown", share * sum(shown))
        self._log_metric("turns/overlong", share * sum(overlong))
        self._log_metric("turns/corrected", share * sum(not each.empty for each in corrections))
        self._log_metric("turns/unreadable", share * sum(bool(each.kind) for each in corrections))
        gains = [new.rewards["mask"] - old.rewards["mask"] for old, new in zip(before, after, strict=True)]
        self._log_metric("turns/gain", share * sum(gains))


def next_turn(opened: Opened, content: list[dict[str, Any]]) -> list[int]:
    """The tokens after an answer's end token up to the next one: a user's turn with one picture, as the chat template writes it."""
    processor: Any = opened.processor
    said: list[Any] = [{"role": role, "content": [{"type": "text", "text": "x"}]} for role in ("user", "assistant")]
    before = processor.apply_chat_template(said, tokenize=False)
    whole = processor.apply_chat_template(
        [*said, {"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    end = before.rindex(processor.tokenizer.eos_token) + len(processor.tokenizer.eos_token)
    if whole[:end] != before[:end]:
        raise T2SError(
            "model_unavailable",
            f"the chat template of {opened.name} writes an answer in another way when a turn follows it",
            "Use a checkpoint whose template keeps earlier turns, or rollout.turns=1",
        )
    pixels = processor.builder.pixels([content[0]["image"]])
    [text] = processor.builder.expanded([whole[end:]], pixels)
    return list(processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def _after_picture(mask: list[int], ids: list[int]) -> list[int] | None:
    """The tokens that the policy wrote after the last token that it did not write; None where it wrote all."""
    others = [place for place, own in enumerate(mask) if not own]
    return ids[others[-1] + 1 :] if others else None
