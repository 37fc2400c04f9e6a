"""The first stage: asks a prompter each sample's question and keeps what it answers, parsed, in View pixels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evals.datasets.sample import Sample
from evals.run.cache import AnswerCache, answer_key
from evals.run.progress import counting
from evals.run.records import Records
from evals.run.shards import ALONE, Shard, by_image
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.prompter import Prompter
from t2s_agent.scene import View

SAMPLING = ("style", "samples", "temperature", "seed", "max_new_tokens")  # settings that an answer depends on
AT_ONCE = 4  # questions in one call of a prompter: a kill costs at most so many answers


@dataclass(frozen=True, slots=True)
class Asking:
    """How samples are asked: how their images are shown, style and sampling of the prompter (by setting's name)."""

    looking: Looking
    sampling: Mapping[str, Any]

    def settings(self, dataset: Mapping[str, Any], prompter: Prompter) -> dict[str, Any]:
        """What decides the answers of a run: files made under others are refused."""
        return {
            "dataset": dict(dataset),
            "prompter": prompter.name,
            "prompter_digest": prompter.digest,
            "frame": prompter.frame,
            "view": self.looking.name,
            **self.sampling,
        }


@dataclass(frozen=True, slots=True)
class _Question:
    sample: Sample
    view: View
    size: tuple[int, int]
    key: str


def write_answers(
    samples: Iterable[Sample],
    prompter: Prompter,
    out: Path,
    *,
    asking: Asking,
    dataset: Mapping[str, Any],
    total: int,
    cache: AnswerCache | None = None,
    shard: Shard = ALONE,
    limit: int | None = None,
    skip_broken: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> Path:
    """Answers all samples of this shard that `out` has no answer for yet; the file of answers.

    A sample that cannot be read stops the run, or with `skip_broken` becomes a row that says so. A model that fails stops it:
    the answers so far are kept, and the same command goes on.
    """
    path = shard.file(out, "answers")
    with (
        Records(path, "answers", asking.settings(dataset, prompter), notes) as records,
        counting("answers", total, len(records.done)) as counter,
        cache or nullcontext(),
    ):
        waiting: list[_Question] = []
        for group in by_image(samples, shard, limit):
            missing = [sample for sample in group if sample.id not in records.done]
            for question in _shown(missing, prompter, asking, records, skip_broken):
                kept = cache.get(question.key) if cache else None
                if kept is not None:
                    records.add({**_facts(question), **kept, "cached": True})
                    counter.add()
                    continue
                waiting.append(question)
                if len(waiting) == AT_ONCE:
                    _ask(waiting, prompter, records, cache)
                    counter.add(len(waiting))
                    waiting = []
        if waiting:
            _ask(waiting, prompter, records, cache)
            counter.add(len(waiting))
    return path


def _shown(
    samples: Sequence[Sample], prompter: Prompter, asking: Asking, records: Records, skip_broken: bool
) -> Iterator[_Question]:
    """The questions about one image, with the View that answers them."""
    if not samples:
        return
    try:
        image = samples[0].read_image()
    except T2SError as error:
        if not skip_broken:
            raise
        for sample in samples:
            records.add({"id": sample.id, "image_id": sample.image_id, "broken": str(error)})
        return
    view = asking.looking.view(image)
    for sample in samples:
        yield _Question(sample, view, image.shape[:2], answer_key(prompter, asking.sampling, view, sample.question))


def _ask(questions: Sequence[_Question], prompter: Prompter, records: Records, cache: AnswerCache | None) -> None:
    answers = prompter.answer([q.view for q in questions], [q.sample.question for q in questions])
    for question, answer in zip(questions, answers, strict=True):
        plain = asdict(answer)
        if cache:
            cache.put(question.key, plain)
        records.add({**_facts(question), **plain, "cached": False})


def _facts(question: _Question) -> dict[str, Any]:
    sample = question.sample
    return {
        "id": sample.id,
        "image_id": sample.image_id,
        "question": sample.question,
        "image": list(question.size),
        "view": [question.view.height, question.view.width],
        "key": question.key,
    }


def answer_from(row: Mapping[str, Any]) -> Answer:
    """The answer of a row."""
    instances = tuple(_instance(each) for each in row["instances"])
    names = ("status", "thinking", "raw", "tokens", "seconds", "fix")
    return Answer(instances=instances, warnings=tuple(row["warnings"]), **{name: row[name] for name in names})


def _instance(plain: Mapping[str, Any]) -> Instance:
    box = plain["box"]
    points = {name: tuple((x, y) for x, y in plain[name]) for name in ("positive", "negative")}
    return Instance(tuple(box) if box else None, **points, label=plain["label"], score=plain["score"])
