"""Questions with answers made from the truth: what supervised training learns.

Prompts and answers are texts, not messages: the prompt is what the product sends, up to where the model begins to write, and the
answer is what it should write, with its end token. So no token of the template after the answer is learned.
"""

from collections.abc import Callable
from typing import Any

from datasets import Dataset

from evals.datasets import Sample
from t2s_agent.prompting.frames import Size
from t2s_agent.prompting.inputs import chat_of, picture_of
from t2s_agent.prompting.style import style_named
from t2s_agent.segmenting.segmenter import Segmenter
from training.answers import write_answer
from training.data import Questions
from training.nano.answers import nano_answer, writes_like_nano
from training.oracle import Oracle
from training.pool import Pool, Question
from training.processor import Processor
from training.recipe import Supervised

Writer = Callable[[Pool, Question], str]  # the answer to a question, with its end token


def answer_writer(supervised: Supervised, processor: Processor, segmenter: Segmenter | None = None) -> Writer:
    """Writes answers as the processor's model should: in the product's form, or in nano's for its tokenizer.

    `segmenter` is needed where the recipe asks for clicks.
    """
    if writes_like_nano(processor.tokenizer):
        return lambda pool, asked: nano_answer(
            pool.truth(asked.id), pool.sample(asked.id).metadata, most=supervised.most_instances
        )
    oracle = Oracle(supervised, segmenter)
    end = str(processor.tokenizer.eos_token)

    def write(pool: Pool, asked: Question) -> str:
        view, truth, style = pool.view(asked.id), pool.truth(asked.id), style_named(asked.style)
        frame = processor.rule.frame(Size(view.width, view.height))
        thinking = _thought(supervised.thinking, pool.sample(asked.id))
        return write_answer(oracle.instances(view, truth, style), frame, style, thinking) + end

    return write


def _thought(text: str, sample: Sample) -> str:
    """The recipe's thought; without a category the question stands for what is asked."""
    return text.replace("{category}", str(sample.metadata.get("category", sample.question)))


def examples(questions: Questions, processor: Processor, write: Writer) -> Dataset:
    """The questions of a run as the dataset that TRL's SFTTrainer takes: `prompt`, `completion` and `image`, made when asked for."""

    def example(number: int) -> dict[str, Any]:
        asked = questions.schedule.at(number)
        chat = chat_of(style_named(asked.style), asked.question)
        prompt = processor.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        image = picture_of(questions.pool.view(asked.id))
        return {"prompt": prompt, "completion": write(questions.pool, asked), "image": image}

    def made(rows: dict[str, list[int]]) -> dict[str, list[Any]]:
        found = [example(number) for number in rows["number"]]
        return {name: [each[name] for each in found] for name in ("prompt", "completion", "image")}

    return Dataset.from_dict({"number": list(range(len(questions)))}).with_transform(made)
