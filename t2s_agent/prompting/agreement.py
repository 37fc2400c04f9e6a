"""Combines several answers to one question: scores each instance by how far the answers agree."""

from collections.abc import Sequence
from dataclasses import replace

from t2s_agent.instance import Instance
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.duplicates import box_iou


def agreed(answers: Sequence[Answer]) -> Answer:
    """Returns the answer that the others agree with most, with its instances scored by that agreement.

    An instance's score is the mean, over the other answers that could be parsed, of the best IoU of its box with a box
    of theirs: 1.0 if all have the same box, 0.0 if no other answer has it. Instances without a box keep the score None, and
    so do all instances if no other answer is readable. The more frequent of `found` and `empty` wins (`found` in a tie), then the
    answer with the higher mean score, then the earlier one. Tokens and seconds are sums.
    """
    readable = [answer for answer in answers if answer.status != "unparsable"]
    if not readable:
        return _summed(answers[0], answers)
    found = [answer for answer in readable if answer.status == "found"]
    if 2 * len(found) < len(readable):
        others = [answer for answer in readable if answer.status != "found"]
        not_understood = [answer for answer in others if answer.status == "not_understood"]
        chosen = (
            not_understood[0]
            if 2 * len(not_understood) > len(others)
            else next(a for a in others if a.status == "empty")
        )
    else:
        chosen = max((_scored(answer, readable) for answer in found), key=_mean_score)
    warnings = list(chosen.warnings)
    if len(found) not in (0, len(readable)):
        warnings.append(f"{len(found)} of {len(readable)} samples found a target")
    if len(readable) < len(answers):
        warnings.append(f"{len(answers) - len(readable)} of {len(answers)} samples could not be parsed")
    return _summed(replace(chosen, warnings=tuple(warnings)), answers)


def _summed(answer: Answer, answers: Sequence[Answer]) -> Answer:
    return replace(answer, tokens=sum(a.tokens for a in answers), seconds=sum(a.seconds for a in answers))


def _scored(answer: Answer, readable: Sequence[Answer]) -> Answer:
    others = [other for other in readable if other is not answer]
    return replace(answer, instances=tuple(_with_score(instance, others) for instance in answer.instances))


def _with_score(instance: Instance, others: Sequence[Answer]) -> Instance:
    if instance.box is None or not others:
        return instance
    box = instance.box
    best = [max((box_iou(box, i.box) for i in other.instances if i.box), default=0.0) for other in others]
    return replace(instance, score=sum(best) / len(best))


def _mean_score(answer: Answer) -> float:
    scores = [instance.score for instance in answer.instances if instance.score is not None]
    return sum(scores) / len(scores) if scores else 0.0
