"""Judges completions by the masks that the frozen segmenter makes of them.

Each distinct image is embedded once a call (and once a dataset, where the segmenter's cache has a folder), and each distinct
instance of an image is decoded once, together with the others. A completion that cannot be read is data: its mask reward is 0
and its kind is counted. An error of the segmenter or of the data is raised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.segmenting.segmenter import Embedding, Segmenter
from training.recipe import Reward
from training.rewards.asked import Asked, Judged
from training.rewards.boxes import box_reward
from training.rewards.calibration import calibration_reward
from training.rewards.length import length_reward
from training.rewards.masks import drawer_for
from training.rewards.matching import Areas, Matched, matched
from training.rewards.reading import Read, read_completion
from training.rewards.semantic import join, mask_reward, object_ious, union_ious
from training.rewards.target import Target, target_of


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What one completion is worth: the masks' union, its IoU, the rewards of masks and of boxes, and the matching of single masks."""

    union: Tensor
    iou: float
    mask: float
    boxes: float
    matched: Matched | None


class RewardEngine:
    """Rewards of completions. The segmenter stays as it is. `most_tokens` is the limit of a completion, for the length reward."""

    def __init__(self, segmenter: Segmenter, reward: Reward, *, most_tokens: int | None = None) -> None:
        if reward.length and most_tokens is None:
            raise T2SError("argument_invalid", "a length reward has no limit of tokens", "Give most_tokens")
        self._drawer = drawer_for(segmenter)
        self._reward, self._most_tokens = reward, most_tokens or 0
        self._matches = reward.level == "instance"
        self._needs_objects = self._matches or reward.weigh == "objects" or reward.boxes > 0

    def judge(
        self, asked: Sequence[Asked], completions: Sequence[str], tokens: Sequence[int] | None = None
    ) -> list[Judged]:
        """One judgement per completion; `asked` has the question of each, so a group repeats it.

        A completion is the text without its end token; `tokens` are their numbers of tokens, for the length reward. Raises
        `argument_invalid` for a question whose truth is not known.
        """
        if self._reward.length and tokens is None:
            raise T2SError("argument_invalid", "a length reward needs the numbers of tokens", "Give tokens")
        questions: dict[str, list[int]] = {}
        for index, each in enumerate(asked):
            questions.setdefault(each.id, []).append(index)
        reads = [read_completion(a, c, self._reward) for a, c in zip(asked, completions, strict=True)]
        embeddings = self._embedded([asked[members[0]] for members in questions.values()])
        seen: dict[int, _Seen] = {}
        for members in questions.values():
            first = asked[members[0]]
            with torch.inference_mode():
                group = self._look(first, embeddings[first.id], [reads[index] for index in members])
            seen |= zip(members, group, strict=True)
        lengths = tokens or [0] * len(asked)
        return [self._judged(read, seen[index], lengths[index]) for index, read in enumerate(reads)]

    def _embedded(self, asked: Sequence[Asked]) -> Mapping[str, Embedding]:
        """The embeddings by the questions' ids. The segmenter embeds a View once, also where several questions are about it."""
        found = self._drawer.embed([each.view for each in asked])
        return {each.id: embedding for each, embedding in zip(asked, found, strict=True)}

    def _look(self, asked: Asked, embedding: Embedding, reads: Sequence[Read]) -> list[_Seen]:
        """Draws the distinct instances of all completions of one question, and compares them with the truth."""
        target = target_of(asked, self._drawer.device, objects=self._needs_objects)
        distinct: dict[Instance, int] = {}
        wanted = [[distinct.setdefault(_prompt(each), len(distinct)) for each in read.instances] for read in reads]
        unions = torch.zeros((len(reads), *target.mask.shape), dtype=torch.bool, device=self._drawer.device)
        areas = Areas.none(len(distinct), len(target.objects)) if self._matches else None
        for drawn in self._drawer.draw(embedding, list(distinct)) if distinct else ():
            join(unions, drawn, wanted)
            if areas:
                areas.count(drawn, target)
        ious = union_ious(unions, target)
        matches = [matched(areas, places, target) if areas else None for places in wanted]
        scores = self._scores(unions, ious, matches, target)
        boxes = [box_reward(read.instances, target.objects) if self._reward.boxes else 0.0 for read in reads]
        return [
            _Seen(
                union,
                mask_reward(iou, nothing_said=read.nothing_said, target=target),
                mask_reward(score, nothing_said=read.nothing_said, target=target),
                mask_reward(box, nothing_said=read.nothing_said, target=target),
                match,
            )
            for read, union, iou, score, box, match in zip(reads, unions, ious, scores, boxes, matches, strict=True)
        ]

    def _scores(
        self, unions: Tensor, ious: list[float], matches: Sequence[Matched | None], target: Target
    ) -> list[float]:
        """What the recipe rewards where something is asked for."""
        if self._matches:
            return [match.reward if match else 0.0 for match in matches]
        return object_ious(unions, target) if self._reward.weigh == "objects" and not target.empty else ious

    def _judged(self, read: Read, seen: _Seen, tokens: int) -> Judged:
        rewards = {"mask": seen.mask, "valid_json": read.valid_json, "valid_tags": read.valid_tags}
        if self._reward.boxes:
            rewards["boxes"] = seen.boxes
        if self._reward.calibration:
            rewards["calibration"] = _calibration(read, seen)
        if self._reward.length:
            rewards["length"] = length_reward(tokens, most=self._most_tokens, buffer=self._reward.length_buffer)
        total = sum(getattr(self._reward, name) * value for name, value in rewards.items())
        union = Mask.of(seen.union.cpu().numpy())
        return Judged(rewards, total, seen.iou, read.status, read.kind, read.instances, union)


def _calibration(read: Read, seen: _Seen) -> float:
    """The calibration reward. An empty list says for sure that there is nothing; an unreadable answer says nothing, and has 0."""
    if read.status == "unparsable":
        return 0.0
    if not read.instances:
        return calibration_reward([1.0], [seen.mask])
    said = [each.score for each in read.instances if each.score is not None]
    if len(said) < len(read.instances):
        raise T2SError(
            "argument_invalid",
            "the calibration reward needs a confidence for each instance, and the prompt style asks for none",
            "Train with the style box_2_points_confidence alone, or set reward.calibration to 0",
        )
    if seen.matched:
        return calibration_reward(said, seen.matched.ious.tolist())
    return calibration_reward([sum(said) / len(said)], [seen.iou])


def _prompt(instance: Instance) -> Instance:
    """What of an instance decides its mask."""
    return Instance(instance.box, instance.positive, instance.negative)
