"""A prompter behind a URL: any OpenAI-compatible /chat/completions, such as vLLM's, Ollama's or a hosted model's.

The picture goes as a data URL in a size that we choose, so that the frame of the answer is known. The key comes from the
environment, goes into one header, and into nothing else: no log, no error, no repr.
"""

import base64
import io
import json
import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx
import numpy as np
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.prompting.agreement import agreed
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.frames import FrameRule, Pixels, Relative, Size, Square
from t2s_agent.prompting.reading import SAME, read_answer
from t2s_agent.prompting.style import DEFAULT_STYLE, PromptStyle
from t2s_agent.scene.view import View

FrameName = Literal["auto", "absolute", "relative", "square"]
RULES: dict[str, FrameRule] = {
    # multiples of 28 px (32 for Qwen3-VL) with at most a megapixel pass through a server's own resizing unchanged
    "absolute": Pixels(28),
    "relative": Relative(32),
    "square": Square(840),
}
MOST_BYTES = 4 * 2**20  # of a response
LONGEST_WAIT_S = 30.0  # between two tries, whatever Retry-After says
AT_ONCE = 4  # requests in flight
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    tokens: int
    cut: bool


class EndpointPrompter:
    """Asks a served model. `endpoint_failed` names the status or the time-out, and never the key.

    `frame` "auto" goes by the model's name: "square" for Think2Seg-RS, "relative" (0 to 1000) for Qwen3 and later
    and for Gemini, else "absolute" pixels. Models that were not trained on the paper's prompt are told the frame in a
    sentence after it.
    """

    digest = ""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        style: PromptStyle = DEFAULT_STYLE,
        frame: FrameName = "auto",
        api_key_env: str = "T2S_API_KEY",
        timeout_s: float = 120.0,
        retries: int = 3,
        max_new_tokens: int = 2048,
        samples: int = 1,
        temperature: float = 1.0,
        seed: int = 0,
        same: float = SAME,
    ) -> None:
        url = _checked(base_url)
        self.name = f"{model} at {url.host}"
        self.style = style
        self._kind = _frame_of(model) if frame == "auto" else frame
        self._rule = RULES[self._kind]
        self.frame = str(self._rule)
        self._url = f"{str(url).rstrip('/')}/chat/completions"
        self._model = model
        self._api_key_env = api_key_env
        self._timeout_s = timeout_s
        self._retries = retries
        self._max_new_tokens = max_new_tokens
        self._samples = samples
        self._temperature = temperature
        self._seed = seed
        self._same = same
        self._client = httpx.Client(timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)))

    def __repr__(self) -> str:
        return f"EndpointPrompter({self.name!r})"

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Answer]:
        """As many requests a pair as there are samples, a few at once; coordinates in View pixels.

        One sample is asked for at temperature 0; several at the given one, each with a seed of its own, and scored by agreement.
        """
        pairs = list(zip(views, questions, strict=True))
        asked = [(view, question, sample) for view, question in pairs for sample in range(self._samples)]
        if len(asked) == 1:
            return [self._one(*asked[0])]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda each: self._one(*each), asked))
        return [agreed(answers[i : i + self._samples]) for i in range(0, len(answers), self._samples)]

    def tell(self, view: View, question: str) -> str:
        """The model's words about a View."""
        return self._ask(view, [], " ".join(question.split())).text.strip()

    def _one(self, view: View, question: str, sample: int) -> Answer:
        began = time.perf_counter()
        frame = self._rule.frame(Size(view.width, view.height))
        text = self.style.user(" ".join(question.split()))
        if self._kind == "absolute":
            text += f"\nThe image is {frame.model.width} x {frame.model.height} pixels; coordinates are pixels, x right, y down."
        elif self._kind == "relative":
            text += "\nCoordinates run from 0 to 1000 along both axes, x right, y down."
        how = {"temperature": self._temperature, "seed": self._seed + sample} if self._samples > 1 else {}
        reply = self._ask(view, [{"role": "system", "content": self.style.system}], text, **how)
        answer = read_answer(reply.text, frame, self.style, same=self._same)
        cut = (f"the answer was cut off after {reply.tokens} tokens",) if reply.cut else ()
        seconds = time.perf_counter() - began
        return replace(answer, tokens=reply.tokens, seconds=seconds, warnings=(*cut, *answer.warnings))

    def _ask(self, view: View, before: list[dict[str, Any]], text: str, **how: float) -> _Reply:
        picture = {"type": "image_url", "image_url": {"url": _data_url(view, self._rule)}}
        content = [picture, {"type": "text", "text": text}]
        body = {
            "model": self._model,
            "messages": [*before, {"role": "user", "content": content}],
            "max_tokens": self._max_new_tokens,
            "temperature": 0,
        } | how
        return _reply(self._posted(body), self.name)

    def _posted(self, body: dict[str, Any]) -> bytes:
        """The body of the first answer with status 200, tried again where another try may help."""
        for tried in range(self._retries + 1):
            wait_s = min(2.0**tried, LONGEST_WAIT_S) * random.uniform(0.5, 1.0)
            try:
                status, content, asked_s = self._post_once(body)
            except httpx.TransportError as error:  # refused, reset, timed out; its text holds no header
                problem = f"no answer ({type(error).__name__})"
            else:
                if status == 200:
                    return content
                problem = f"status {status}"
                if status not in _AGAIN:
                    raise self._failed(problem, status)
                wait_s = wait_s if asked_s is None else min(asked_s, LONGEST_WAIT_S)
            if tried < self._retries:
                time.sleep(wait_s)
        raise self._failed(f"{problem}, tried {self._retries + 1} times", None)

    def _post_once(self, body: dict[str, Any]) -> tuple[int, bytes, float | None]:
        """Status, body, and the seconds that Retry-After asks for."""
        headers = {"Authorization": f"Bearer {key}"} if (key := self._key()) else {}
        latest = time.monotonic() + self._timeout_s  # httpx's own limit is one for each read
        with self._client.stream("POST", self._url, json=body, headers=headers) as response:
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise self._failed(f"more than {MOST_BYTES} bytes", None)
                if time.monotonic() > latest:
                    raise httpx.ReadTimeout("the whole answer took too long")
            return response.status_code, content, _seconds(response.headers.get("retry-after"))

    def _key(self) -> str:
        key = os.environ.get(self._api_key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise T2SError(
                "argument_invalid",
                f"{self._api_key_env} holds characters that cannot stand in a header",
                "Set it to the key alone",
            )
        return key

    def _failed(self, problem: str, status: int | None) -> T2SError:
        if status in (401, 403):
            fix = f"Put a valid key into the environment variable {self._api_key_env}"
        elif status == 404:
            fix = "Check the model's name and the base URL, which usually ends in /v1"
        elif status is not None:
            fix = "Check that the model takes images and that its context is long enough"
        else:
            fix = "Check the URL and that the server runs, or raise endpoint_timeout_s; or use nano, which needs no server"
        return T2SError("endpoint_failed", f"{self.name} gave {problem}", fix)


def _checked(base_url: str) -> httpx.URL:
    """The URL without credentials; a key in it would end up in errors and records."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise T2SError("argument_invalid", "the endpoint's URL cannot be read", "Write https://HOST/v1") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise T2SError(
            "argument_invalid", "the endpoint's URL has no http:// or https:// host", "Write https://HOST/v1"
        )
    if url.userinfo or url.query:
        raise T2SError(
            "argument_invalid",
            f"the URL of the endpoint at {url.host} carries a user name, password or query",
            "Leave them out and put the key into T2S_API_KEY",
        )
    return url


def _frame_of(model: str) -> Literal["absolute", "relative", "square"]:
    name = model.casefold()
    if "think2seg" in name:
        return "square"
    return "relative" if any(part in name for part in ("qwen3", "gemini")) else "absolute"


def _data_url(view: View, rule: FrameRule) -> str:
    """The View as PNG in the rule's size."""
    size = rule.picture(Size(view.width, view.height))
    picture = Image.fromarray(np.ascontiguousarray(view.rgb))
    if picture.size != (size.width, size.height):
        picture = picture.resize((size.width, size.height), Image.Resampling.LANCZOS)
    with io.BytesIO() as opened:
        picture.save(opened, "PNG")
        return "data:image/png;base64," + base64.b64encode(opened.getvalue()).decode("ascii")


def _reply(content: bytes, name: str) -> _Reply:
    """The text of a completion; `endpoint_failed` where the body is none."""
    try:
        body = json.loads(content)
        choice = body["choices"][0]
        text = choice["message"]["content"]
        thinking = choice["message"].get("reasoning_content")  # vLLM's, where it takes the thinking apart
        used = body.get("usage") or {}
        tokens = used.get("completion_tokens") or 0
        cut = choice.get("finish_reason") == "length"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise T2SError(
            "endpoint_failed",
            f"{name} answered with something that is no chat completion",
            "Check that the URL is an OpenAI-compatible base, which usually ends in /v1",
        ) from error
    if not isinstance(text, str):
        raise T2SError("endpoint_failed", f"{name} answered without words", "Ask another model, or ask again")
    if isinstance(thinking, str) and "<think>" not in text:
        text = f"<think>{thinking}</think>\n{text}"
    return _Reply(text, tokens if isinstance(tokens, int) else 0, cut)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is left to our own back-off."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
