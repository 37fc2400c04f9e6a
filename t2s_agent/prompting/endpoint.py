"""Asks a model behind a URL: any OpenAI-compatible /chat/completions, such as vLLM, Ollama or a hosted model.

The picture is sent as a data URL in a size that servers do not change, so that the frame of the answer is known. If the model
writes pixels, the prompter checks once that the server really kept the size.
"""

import base64
import io
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.instance import Box
from t2s_agent.prompting.agreement import agreed
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.families import FRAME_NAMES, Family, FrameName, load_frames
from t2s_agent.prompting.frames import COORDINATES, Frame, Size, stable_size
from t2s_agent.prompting.parsing import read_words
from t2s_agent.prompting.reading import LONGER, SAME, fits, read_answer
from t2s_agent.prompting.sampling import GREEDY, Sampling
from t2s_agent.prompting.served import Reply, ServedModel
from t2s_agent.prompting.sizing import (
    BETWEEN,
    LARGE,
    SMALL,
    Sizing,
    fit_limits,
    is_flat,
    kept_as_sent,
    ratio_of,
    scaled_size,
    tokens_expected,
)
from t2s_agent.prompting.style import DEFAULT_STYLE, PromptStyle
from t2s_agent.prompting.thinking import split_thinking
from t2s_agent.scene.view import View

SQUARE = 840  # px, the picture size of Think2Seg-RS
# Pictures have 1,024 to 1,280 image tokens of 28 x 28 px: llama.cpp enlarges pictures with fewer than 1,024 (its own advice
# for Qwen-VL), and the class defaults of transformers' image processor reduce pictures with more than 1,280.
LEAST_PIXELS, MOST_PIXELS = 1024 * 28 * 28, 1280 * 28 * 28
AT_ONCE = 4  # requests in flight
_PIXELS = ("absolute", "square")


class EndpointPrompter:
    """Asks a served model. `endpoint_failed` errors quote the server or name the time-out, and never contain the key.

    `frame` "auto" finds the frame by the model's name in the table of `families`. A model that is not in the table is assumed
    to write "absolute" pixels, and the answer is checked. Models that were not trained on the paper's prompt get a sentence
    after it that states the frame.
    """

    digest = ""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        style: PromptStyle = DEFAULT_STYLE,
        frame: FrameName | Literal["auto"] = "auto",
        frames_file: Path | None = None,
        api_key_env: str = "T2S_API_KEY",
        timeout_s: float = 120.0,
        retries: int = 3,
        max_new_tokens: int = 2048,
        sampling: Sampling = GREEDY,
        same: float = SAME,
    ) -> None:
        self._served = ServedModel(base_url, model, api_key_env=api_key_env, timeout_s=timeout_s, retries=retries)
        self.name = self._served.name
        self.style = style
        self._family: Family | None = load_frames(frames_file).of(model)
        self._stated = frame != "auto"
        self._kind: str = frame if frame != "auto" else self._family.frame if self._family else "absolute"
        self.frame = _describe_frame(self._kind)
        self._max_new_tokens = max_new_tokens
        self._sampling = sampling
        self._same = same
        self._sizing: Sizing | None = None  # how the server resizes pictures; None until known
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"EndpointPrompter({self.name!r})"

    def close(self) -> None:
        """Closes the connections."""
        self._served.close()

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Answer]:
        """Returns one Answer per pair of View and question, with coordinates in View pixels.

        Sends `samples` requests per pair, a few at once. A single sample uses temperature 0. Several samples use the given
        temperature and different seeds, and are scored by their agreement.
        """
        pairs = list(zip(views, questions, strict=True))
        asked = [(view, question, sample) for view, question in pairs for sample in range(self._sampling.samples)]
        if len(asked) == 1:
            return [self._answer_one(*asked[0])]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda each: self._answer_one(*each), asked))
        return [agreed(answers[i : i + self._sampling.samples]) for i in range(0, len(answers), self._sampling.samples)]

    def tell(self, view: View, question: str) -> str:
        """Returns the model's text about a View, without its thinking.

        Raises `answer_unparsable` if the text was cut off during the thinking.
        """
        reply = self._ask(view, self._picture(view), " ".join(question.split()), system=False)
        parts = split_thinking(reply.text)
        if parts.unfinished:
            fix = LONGER.format(most=self._max_new_tokens)
            raise T2SError("answer_unparsable", f"{self.name} was cut off during its thinking", fix)
        return parts.answer.strip()

    def shown(self, view: View, question: str) -> tuple[Reply, Size]:
        """Returns the unparsed reply to a question worded as in `answer`, and the size of the picture sent (for `finding`)."""
        picture = self._picture(view)
        return self._ask(view, picture, self._text(question, picture)), picture

    @property
    def known(self) -> str:
        """Describes this model's entry in the table of families."""
        family = self._family
        if family is None:
            return "the table has no entry for this model"
        return f"{family.name}: {family.frame} ({family.known}; {family.source})"

    def _answer_one(self, view: View, question: str, sample: int) -> Answer:
        began = time.perf_counter()
        question = " ".join(question.split())
        picture = self._picture(view)
        reply = self._ask(view, picture, self._text(question, picture), sample=sample)
        boxes = _pixel_boxes(reply) if self._kind in _PIXELS else []
        sizing, remarks = self._measure_sizing(view, question, picture, reply, boxes) if boxes else (None, ())
        answer = self._read(reply, view, sizing.size if sizing else picture, checked=sizing is not None)
        seconds = time.perf_counter() - began
        warnings = (*self._guess_warning(answer), *reply.warnings, *remarks)
        if answer.status == "unparsable":  # its last warning is the cause
            return replace(answer, tokens=reply.tokens, seconds=seconds, warnings=(*warnings, *answer.warnings))
        return replace(answer, tokens=reply.tokens, seconds=seconds, warnings=(*answer.warnings, *warnings))

    def _read(self, reply: Reply, view: View, picture: Size, *, checked: bool) -> Answer:
        """Returns the reply in View pixels.

        `checked`: the picture's size at the server is known, so numbers beyond it cannot be pixels.
        """
        size = Size(view.width, view.height)
        frame = self._frame(picture, size)
        others: dict[str, Frame] = {}
        if self._kind != "relative" and (checked or self._kind not in _PIXELS):
            others["relative"] = Frame(Size(1000, 1000), size, frame.y_first)
        if self._kind not in _PIXELS:
            others["absolute"] = Frame(picture, size, frame.y_first)
        return read_answer(
            reply.text,
            frame,
            same=self._same,
            cut=reply.cut,
            tokens=reply.tokens,
            most_tokens=self._max_new_tokens,
            others=others,
            way_out=WAY_OUT,
            box=self._family.box if self._family and not self._stated else "corners",
        )

    def _guess_warning(self, answer: Answer) -> tuple[str, ...]:
        """Returns a warning if the frame of this model is a guess."""
        family = self._family
        if self._stated or family is None or family.known != "guess" or answer.status != "found":
            return ()
        return (
            f"that {family.name} writes {self.frame} is a guess: check it with t2s-agent doctor --endpoint URL#MODEL",
        )

    def _frame(self, picture: Size, view: Size) -> Frame:
        if self._kind in _PIXELS:
            return Frame(picture, view)
        own = COORDINATES[self._kind]
        return Frame(Size(own.scale, own.scale), view, own.y_first)

    def _picture(self, view: View) -> Size:
        """Returns the size in which the View is sent: a size that servers, and this server as far as known, do not change."""
        if self._kind == "square":
            return Size(SQUARE, SQUARE)
        least, most = LEAST_PIXELS, MOST_PIXELS
        if (known := self._sizing) and known.most and known.most < most:  # slightly inside the measured limits
            most = int(0.97 * known.most)
            least = min(least, int(0.6 * most))
        if known and known.least > least:
            least = int(1.03 * known.least)
            most = max(most, int(1.4 * least)) if not known.most else max(most, least)
        return stable_size(Size(view.width, view.height), self._factor(), least, most)

    def _factor(self) -> int:
        """Qwen3-VL's patches merge to 32 px a side, Qwen2.5-VL's to 28."""
        return 28 if self._kind in _PIXELS else 32

    def _text(self, question: str, picture: Size) -> str:
        text = self.style.user(question)
        if self._kind == "absolute":
            return f"{text}\nThe image is {picture.width} x {picture.height} pixels; coordinates are pixels, x right, y down."
        if self._kind == "square":
            return text
        own = COORDINATES[self._kind]
        if own.y_first:
            return f"{text}\nCoordinates run from 0 to {own.scale} along both axes; write boxes as [y1, x1, y2, x2] and points as [y, x]."
        return f"{text}\nCoordinates run from 0 to {own.scale} along both axes, x right, y down."

    def _ask(self, view: View, picture: Size, text: str, *, sample: int = 0, system: bool = True) -> Reply:
        content = [
            {"type": "image_url", "image_url": {"url": _data_url(view, picture)}},
            {"type": "text", "text": text},
        ]
        messages: list[dict[str, Any]] = [{"role": "system", "content": self.style.system}] if system else []
        several = system and self._sampling.samples > 1
        return self._served.ask(
            [*messages, {"role": "user", "content": content}],
            max_tokens=self._max_new_tokens,
            temperature=self._sampling.temperature if several else 0,
            seed=self._sampling.seed + sample if several else None,
        )

    def _measure_sizing(
        self, view: View, question: str, picture: Size, reply: Reply, boxes: list[Box]
    ) -> tuple[Sizing | None, tuple[str, ...]]:
        """Returns how the server resizes pictures (measured once; None if it stays unknown), and warnings."""
        with self._lock:
            if self._sizing is not None:
                return self._known_size(picture), ()
            if self._has_expected_tokens(question, picture, reply):
                self._sizing = Sizing("kept", picture)
                return self._sizing, ()
            try:
                found = self._compare_sizes(view, question, picture, boxes)
            except T2SError as error:
                return None, (f"whether the server resized the picture could not be checked: {error.what}",)
            return self._conclude(found, picture, boxes)

    def _known_size(self, picture: Size) -> Sizing | None:
        """Later pictures have a size that the server keeps; except the square, which is resized as the first one was."""
        if self._kind == "square" and self._sizing:
            return self._sizing
        return Sizing("kept", picture)

    def _has_expected_tokens(self, question: str, picture: Size, reply: Reply) -> bool:
        """Whether the server's token count is that of a picture that was not resized."""
        patch = self._family.patch if self._family else None
        if not patch or not reply.prompt_tokens:
            return False
        text = self.style.system + self._text(question, picture)
        least, most = tokens_expected(text, picture, patch)
        return least <= reply.prompt_tokens <= most

    def _compare_sizes(self, view: View, question: str, picture: Size, boxes: list[Box]) -> Sizing:
        """Asks the same question with pictures of other sizes."""

        def again(size: Size) -> list[Box]:
            return _pixel_boxes(self._ask(view, size, self._text(question, size)))

        def compared(share: float) -> tuple[Size, tuple[float, float]] | None:
            size = scaled_size(picture, share, 28)
            ratio = ratio_of(again(size), boxes)
            return None if ratio is None else (size, ratio)

        small = compared(SMALL)
        if small is None:
            return Sizing("unclear", picture)
        if kept_as_sent(*small, picture):
            return Sizing("kept", picture)
        large = compared(LARGE)
        if large and is_flat(small[1]) and is_flat(large[1]):
            return Sizing("fixed", picture)
        return fit_limits(picture, [each for each in (small, large, *map(compared, BETWEEN)) if each], 28)

    def _conclude(self, found: Sizing, picture: Size, boxes: list[Box]) -> tuple[Sizing | None, tuple[str, ...]]:
        if found.verdict == "unclear":
            return None, (
                "whether the server resized the picture could not be checked: its answers to other sizes differ",
            )
        if found.verdict == "unknown":
            raise T2SError(
                "answer_unparsable",
                f"{self.name} resized the picture to a size that could not be determined",
                LEAVE_ALONE,
            )
        if found.verdict == "fixed":
            unknown = not self._stated and (self._family is None or self._family.known == "guess")
            if unknown and max(number for box in boxes for number in box) <= 1020:
                self._kind, self.frame = "relative", _describe_frame("relative")
                return None, (READ_AS_RELATIVE,)
            if (
                self._stated or self._kind == "square"
            ):  # the user stated the frame, or the model takes pictures of one size only
                return None, (NO_PIXELS,)
            raise T2SError(
                "answer_unparsable",
                f"{self.name} writes the same numbers for every picture size: they are not pixels of the picture, and "
                "their frame is not known",
                WAY_OUT,
            )
        self._sizing = found
        if found.size == picture:
            return found, ()
        sent, made = f"{picture.width} x {picture.height}", f"{found.size.width} x {found.size.height}"
        return found, (
            f"the server resized the picture of {sent} px to about {made} px; the answer was read in that size",
        )


WAY_OUT = (
    f"Set endpoint_frame (T2S_ENDPOINT_FRAME) to what the model writes: {', '.join(FRAME_NAMES)}; "
    "t2s-agent doctor --endpoint URL#MODEL measures it"
)
LEAVE_ALONE = (
    "Configure the server to keep pictures of 1,024 to 1,280 image tokens as they are (min_pixels, max_pixels), or set "
    "endpoint_frame if the model does not write pixels"
)
READ_AS_RELATIVE = (
    "the numbers do not follow the picture's size: they were read as 0 to 1000 along both axes; "
    "t2s-agent doctor --endpoint URL#MODEL measures the frame, endpoint_frame sets it"
)
NO_PIXELS = (
    "the numbers do not follow the picture's size, as pixels would: the positions of the regions may be wrong; "
    "check with t2s-agent doctor --endpoint URL#MODEL, or set endpoint_frame"
)


def _describe_frame(kind: str) -> str:
    if kind == "absolute":
        return "pixels of the resized picture"
    return f"pixels of a {SQUARE} x {SQUARE} square" if kind == "square" else str(COORDINATES[kind])


def _pixel_boxes(reply: Reply) -> list[Box]:
    """Returns the boxes of a reply if its numbers may be pixels, points as boxes from the corner (0, 0).

    Returns none if all numbers are within 0 to 1.
    """
    items = [item for item in read_words(reply.text, cut=reply.cut).items if not item.bad and not item.frame]
    if not items or not fits(items, Frame(Size(2, 2), Size(2, 2)), bounded=False):
        return []
    boxes: list[Box] = [item.box for item in items if item.box]
    return boxes or [(0.0, 0.0, x, y) for item in items for x, y in item.positive]


def _data_url(view: View, size: Size) -> str:
    """Returns the View as a PNG data URL in this size."""
    picture = Image.fromarray(np.ascontiguousarray(view.rgb))
    if picture.size != (size.width, size.height):
        picture = picture.resize((size.width, size.height), Image.Resampling.LANCZOS)
    with io.BytesIO() as opened:
        picture.save(opened, "PNG", compress_level=1)  # three times as fast as the default, and a tenth larger
        return "data:image/png;base64," + base64.b64encode(opened.getvalue()).decode("ascii")
