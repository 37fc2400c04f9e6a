"""Judges completions by the masks that the frozen segmenter makes of them.

Each distinct image is embedded once a call (and once a dataset, where the segmenter's cache has a folder), and each distinct
instance of an image is decoded once, together with the others. A completion that cannot be read is data: its mask reward is 0
and its kind is counted. An error of the segmenter or of the data is raised.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.segmenting.segmenter import Embedding, Segmenter
from training.recipe import Reward
from training.rewards.asked import Asked, Judged
from training.rewards.masks import Drawer, PlainDrawer
from training.rewards.reading import Read, read_completion
from training.rewards.semantic import mask_reward, union_ious, unions_of
from training.rewards.target import Target, target_of


class RewardEngine:
    """Rewards of completions. The segmenter stays as it is."""

    def __init__(self, segmenter: Segmenter, reward: Reward) -> None:
        self._drawer: Drawer = PlainDrawer(segmenter)
        self._reward = reward

    def judge(self, asked: Sequence[Asked], completions: Sequence[str]) -> list[Judged]:
        """One judgement per completion; `asked` has the question of each, so a group repeats it.

        A completion is the text without its end token. Raises `argument_invalid` for a question whose truth is not known.
        """
        questions: dict[str, list[int]] = {}
        for index, each in enumerate(asked):
            questions.setdefault(each.id, []).append(index)
        reads = [read_completion(a, c, self._reward) for a, c in zip(asked, completions, strict=True)]
        embeddings = self._embedded([asked[members[0]] for members in questions.values()])
        judged: dict[int, Judged] = {}
        for members in questions.values():
            first = asked[members[0]]
            group = self._judge_group(first, embeddings[first.id], [reads[index] for index in members])
            judged |= zip(members, group, strict=True)
        return [judged[index] for index in range(len(asked))]

    def _embedded(self, asked: Sequence[Asked]) -> Mapping[str, Embedding]:
        """The embeddings by the questions' ids; questions about one image share it."""
        return {
            each.id: found for each, found in zip(asked, self._drawer.embed([each.view for each in asked]), strict=True)
        }

    def _judge_group(self, asked: Asked, embedding: Embedding, reads: Sequence[Read]) -> list[Judged]:
        target = target_of(asked, self._drawer.device)
        distinct: dict[Instance, int] = {}
        wanted = [[distinct.setdefault(_prompt(each), len(distinct)) for each in read.instances] for read in reads]
        drawn = self._drawer.draw(embedding, list(distinct)) if distinct else iter(())
        unions = unions_of(drawn, wanted, asked.view.height, asked.view.width, self._drawer.device)
        ious = union_ious(unions, target)
        return [self._judged(*each, target) for each in zip(reads, ious, unions, strict=True)]

    def _judged(self, read: Read, iou: float, union: Tensor, target: Target) -> Judged:
        nothing_said = read.status != "unparsable" and not read.instances
        rewards = {
            "mask": mask_reward(iou, nothing_said=nothing_said, target=target),
            "valid_json": read.valid_json,
            "valid_tags": read.valid_tags,
        }
        total = sum(getattr(self._reward, name) * value for name, value in rewards.items())
        return Judged(
            rewards, total, rewards["mask"], read.status, read.kind, read.instances, Mask.of(union.cpu().numpy())
        )


def _prompt(instance: Instance) -> Instance:
    """What of an instance decides its mask."""
    return Instance(instance.box, instance.positive, instance.negative)
