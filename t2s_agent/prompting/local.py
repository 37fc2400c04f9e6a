"""Runs a Qwen2.5-VL, Qwen3-VL or InternVL checkpoint on this machine, with transformers; `inputs` builds what the model reads."""

import contextlib
import copy
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from t2s_agent.accelerator import Device, DType, memory_for
from t2s_agent.errors import T2SError
from t2s_agent.prompting.agreement import agreed
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.checkpoint import Checkpoint, open_checkpoint
from t2s_agent.prompting.decoding import Prepared, generate
from t2s_agent.prompting.frames import Frame, Size
from t2s_agent.prompting.inputs import InputBuilder, chat_of, plain, visual_tokens
from t2s_agent.prompting.reading import LONGER, SAME, read_answer
from t2s_agent.prompting.sampling import GREEDY, Sampling
from t2s_agent.prompting.style import DEFAULT_STYLE, PromptStyle
from t2s_agent.prompting.thinking import split_thinking
from t2s_agent.prompting.vocabulary import Vocabulary
from t2s_agent.scene.view import View
from t2s_agent.threads import threads, threads_for
from t2s_agent.weights import weights_digest


@dataclass(frozen=True, slots=True)
class _Written:
    """One text that the model wrote: how many tokens it has, and whether it was cut off at the limit."""

    text: str
    tokens: int
    cut: bool


class TransformersPrompter:
    """Asks a vision-language model that runs on this machine. Made by `load`; one thread at a time generates."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        style: PromptStyle = DEFAULT_STYLE,
        max_new_tokens: int = 2048,
        sampling: Sampling = GREEDY,
        batch_size: int = 4,
        same: float = SAME,
    ) -> None:
        self.name = checkpoint.name
        self.frame = str(checkpoint.rule)
        self.style = style
        self._folder = checkpoint.folder
        self._model = checkpoint.model
        self._tokenizer = checkpoint.tokenizer
        self._rule = checkpoint.rule
        self._max_new_tokens = max_new_tokens
        self._sampling = sampling
        self._batch_size = batch_size
        self._same = same
        self._builder = InputBuilder(checkpoint)
        self.threads = threads_for(self._model)
        self._lock = threading.Lock()
        self._vocabulary = Vocabulary.of(checkpoint.folder)

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        name: str | None = None,
        style: PromptStyle = DEFAULT_STYLE,
        device: Device = "auto",
        dtype: DType = "auto",
        square: int | None = None,
        max_new_tokens: int = 2048,
        sampling: Sampling = GREEDY,
        batch_size: int = 4,
        same: float = SAME,
    ) -> "TransformersPrompter":
        """Loads a checkpoint by hub name or folder; its family is what config.json's `model_type` says.

        `name` is what results will call it (a folder's path says too much about a machine).
        `square` stretches every View to that many pixels a side; by itself this happens for Think2Seg-RS (840) and for
        processors whose smallest and largest area are one square. `same` is the box IoU above
        which two instances are one. `model_unavailable` for whatever keeps it from being loaded.
        """
        if max_new_tokens < 1 or batch_size < 1:
            raise T2SError(
                "argument_invalid",
                f"max_new_tokens {max_new_tokens}, batch_size {batch_size}",
                "Both have to be above zero",
            )
        checkpoint = open_checkpoint(str(name_or_folder), device=device, dtype=dtype, square=square)
        return cls(
            replace(checkpoint, name=name or checkpoint.name),
            style=style,
            max_new_tokens=max_new_tokens,
            sampling=sampling,
            batch_size=batch_size,
            same=same,
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weight files."""
        return weights_digest(self._folder)

    @cached_property
    def _prepared(self) -> Prepared | None:
        """What a small model's answers have in common; the model does not change after loading."""
        return Prepared.of(self._model, self._tokenizer)

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Answer]:
        """One answer a pair, in View pixels, `batch_size` pairs at a time; `model_failed` where memory does not suffice.

        `not_understood`, without asking, where the model's vocabulary says that it was never taught what is asked for.
        """
        unknown = [self._vocabulary.unknown(question) if self._vocabulary else "" for question in questions]
        pairs = [(v, q) for v, q, beyond in zip(views, questions, unknown, strict=True) if not beyond]
        given = iter(self._answers(pairs))
        return [self._beyond(each) if each else next(given) for each in unknown]

    def _beyond(self, unknown: str) -> Answer:
        """Returns the answer to a question for something that the model was not trained on."""
        known = self._vocabulary
        return Answer("not_understood", warnings=(known.remark(self.name, unknown),) if known else ())

    def _answers(self, pairs: Sequence[tuple[View, str]]) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(pairs), self._batch_size):
            batch = pairs[start : start + self._batch_size]
            began = time.perf_counter()
            written = self._write([v for v, _ in batch], [self._messages(q) for _, q in batch], self._sampling.samples)
            seconds = (time.perf_counter() - began) / (len(batch) * self._sampling.samples)
            for index, (view, _) in enumerate(batch):
                own = written[index * self._sampling.samples : (index + 1) * self._sampling.samples]
                answers.append(agreed([self._read(each, view, seconds) for each in own]))
        return answers

    def tell(self, view: View, question: str) -> str:
        """Returns the model's text about a View, decoded greedily."""
        content = [{"type": "image"}, {"type": "text", "text": plain(question)}]
        [written] = self._write([view], [[{"role": "user", "content": content}]], samples=1)
        parts = split_thinking(written.text)
        if parts.unfinished:
            fix = LONGER.format(most=self._max_new_tokens)
            raise T2SError("answer_unparsable", f"{self.name} was cut off during its thinking", fix)
        return parts.answer.strip()

    def _messages(self, question: str) -> list[dict[str, Any]]:
        return chat_of(self.style, question)

    def _read(self, written: _Written, view: View, seconds: float) -> Answer:
        size = Size(view.width, view.height)
        frame = self._rule.frame(size)
        relative = Frame(Size(1000, 1000), size)
        answer = read_answer(
            written.text,
            frame,
            same=self._same,
            cut=written.cut,
            tokens=written.tokens,
            most_tokens=self._max_new_tokens,
            others={"relative": relative}
            if frame.model != relative.model
            else {"absolute": Frame(self._rule.picture(size), size)},
            way_out="Ask in other words, or use a checkpoint that writes boxes in the frame of its family",
        )
        return replace(answer, tokens=written.tokens, seconds=seconds)

    def _write(self, views: Sequence[View], chats: Sequence[list[dict[str, Any]]], samples: int) -> list[_Written]:
        """Returns the generated texts: `samples` for each View and chat, one after the other in their order."""
        import torch

        inputs = self._inputs(views, chats)
        config = self._generation(samples)
        with (
            self._lock,
            torch.inference_mode(),
            _own_randomness(self._sampling.seed),
            memory_for("answer", self.name),
            threads(self.threads),
        ):
            rows = generate(self._model, inputs, config, self._prepared)
        ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
        return [self._decoded(row, ends) for row in rows]

    def _decoded(self, row: list[int], ends: list[int]) -> _Written:
        """Returns the exact text up to the end token, with special tokens, because an answer's tags may be special tokens."""
        end = next((at for at, token in enumerate(row) if token in ends), None)
        text = self._tokenizer.decode(row[:end], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return _Written(text, len(row) if end is None else end + 1, cut=end is None)

    def _generation(self, samples: int) -> Any:
        """Returns the folder's generation settings (repetition penalty, end tokens), with our sampling settings on top."""
        config = copy.deepcopy(self._model.generation_config)
        config.max_new_tokens, config.max_length = self._max_new_tokens, None
        config.do_sample, config.use_cache, config.num_return_sequences = samples > 1, True, samples
        config.temperature = self._sampling.temperature if samples > 1 else None
        config.top_k, config.top_p = (0, 1.0) if samples > 1 else (None, None)  # the whole distribution, or none of it
        if config.eos_token_id is None:
            config.eos_token_id = self._tokenizer.eos_token_id
        config.pad_token_id = self._tokenizer.pad_token_id
        config.suppress_tokens = visual_tokens(self._model.config)
        return config

    def _inputs(self, views: Sequence[View], chats: Sequence[list[dict[str, Any]]]) -> dict[str, Any]:
        """Returns the model's inputs, on its device."""
        inputs = self._builder.build(views, chats)
        return {key: tensor.to(self._model.device) for key, tensor in inputs.items()}


@contextlib.contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Seeds torch inside the context and restores the caller's random state afterwards."""
    import torch

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
