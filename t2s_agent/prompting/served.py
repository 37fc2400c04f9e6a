"""Sends a request to a served model (/chat/completions), with retries, and returns its reply as text.

The API key comes from the environment and goes into one header and nowhere else. Every response passes through
`secret.Redaction` before it is read, so a server that repeats the key cannot bring it into an answer or an error.
"""

import html
import json
import logging
import os
import random
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx

from t2s_agent.errors import T2SError
from t2s_agent.prompting.secret import Redaction
from t2s_agent.text import one_line

MOST_BYTES = 4 * 2**20  # of a response
LONGEST_WAIT_S = 30.0  # between two tries, even if Retry-After asks for more
MOST_QUOTED = 200  # characters quoted from a server's message
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_NOT_THE_BODY = {401, 403, 404, 429}  # statuses that no change of the request body can cure
_REFUSES = re.compile(
    r"unsupported|not supported|n[o']t support|not permitted|not allowed|forbidden|unrecognized|unrecognised|unknown|"
    r"unexpected|invalid|extra (?:inputs|fields)|deprecated|must alternate|not enabled|only .{0,40}(?:default|supported)|"
    r"not implemented|use '?\"?max_",
    re.IGNORECASE,
)
_REFUSAL_CODE = re.compile(r"unsupported_(?:parameter|value)|unknown_parameter|extra_forbidden")
_SYSTEM = re.compile(r"\bsystem\b.{0,60}\b(?:role|message|prompt|instruction)|\brole\b.{0,60}\bsystem\b|roles must alternate|developer instruction", re.IGNORECASE)  # fmt: skip

# httpx logs a server's reason phrase, and httpcore logs its headers: both could contain the key
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Reply:
    """A completion: `text` is the answer, with the model's thinking before it in <think> tags.

    `tokens` is the number of tokens written, `prompt_tokens` the number read; 0 if the server does not report them.
    `cut`: the text ended at the token limit.
    """

    text: str
    tokens: int
    prompt_tokens: int
    cut: bool
    warnings: tuple[str, ...] = ()


class ServedModel:
    """Asks one model at one base URL. `endpoint_failed` errors quote the server and never contain the key."""

    def __init__(
        self, base_url: str, model: str, *, api_key_env: str = "T2S_API_KEY", timeout_s: float = 120.0, retries: int = 3
    ) -> None:
        url = _parse_url(base_url)
        self.name = f"{model} at {url.host}"
        self._model = model
        self._url = f"{str(url).rstrip('/')}/chat/completions"
        self._api_key_env = api_key_env
        self._timeout_s = timeout_s
        self._retries = retries
        self._client = httpx.Client(timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)))
        self._changes: dict[str, str] = {}  # field that the server refuses -> a warning that says what was changed
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ServedModel({self.name!r})"

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def ask(self, messages: list[dict[str, Any]], *, max_tokens: int, temperature: float, seed: int | None) -> Reply:
        """Returns one completion. A field that the server refuses is left out from then on, also in later calls."""
        body: dict[str, Any] = {
            "model": self._model, "messages": messages, "max_tokens": max_tokens, "temperature": temperature,
        }  # fmt: skip
        if seed is not None:
            body["seed"] = seed
        redacted = Redaction(self._key())
        while True:
            with self._lock:
                changes = dict(self._changes)
            status, content = self._post_with_retries(_without_refused(body, changes), redacted, changes)
            words = redacted(content.decode("utf-8", "replace"))
            if status == 200:
                return self._reply(words, tuple(changes.values()), redacted)
            change = _change_for(words, _without_refused(body, changes), changes)
            if change is None:
                raise self._failed(f"status {status}", status, words)
            with self._lock:
                self._changes |= dict([change])

    def _post_with_retries(
        self, body: dict[str, Any], redacted: Redaction, changes: dict[str, str]
    ) -> tuple[int, bytes]:
        """Returns status and body of the first response that another try would not change."""
        words = ""
        for tried in range(self._retries + 1):
            wait_s = min(2.0**tried, LONGEST_WAIT_S) * random.uniform(0.5, 1.0)
            try:
                status, content, asked_s = self._post_once(body)
            except httpx.TransportError as error:  # refused, reset, timed out; its text contains no header
                problem, words = f"no answer ({type(error).__name__})", ""
            else:
                words = redacted(content.decode("utf-8", "replace"))
                if status not in _AGAIN or (
                    status not in _NOT_THE_BODY and _change_for(words, body, changes) is not None
                ):
                    return status, content
                problem = f"status {status}"
                wait_s = wait_s if asked_s is None else min(asked_s, LONGEST_WAIT_S)
            if tried < self._retries:
                time.sleep(wait_s)
        raise self._failed(f"{problem}, tried {self._retries + 1} times", None, words)

    def _post_once(self, body: dict[str, Any]) -> tuple[int, bytes, float | None]:
        """Returns status, body, and the seconds that Retry-After asks for. A compressed body raises `endpoint_failed`."""
        headers = {"Accept-Encoding": "identity"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        latest = time.monotonic() + self._timeout_s  # httpx's own limit applies to each read, not to the whole
        with self._client.stream("POST", self._url, json=body, headers=headers) as response:
            encodings = {each.strip().casefold() for each in response.headers.get("content-encoding", "").split(",")}
            if encodings - {"", "identity"}:
                raise self._failed("a compressed body, which was not asked for", None, "")
            content = bytearray()
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise self._failed(f"more than {MOST_BYTES} bytes", None, "")
                if time.monotonic() > latest:
                    raise httpx.ReadTimeout("the whole answer took too long")
            return response.status_code, bytes(content), _retry_after_s(response.headers.get("retry-after"))

    def _key(self) -> str:
        key = os.environ.get(self._api_key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise T2SError(
                "argument_invalid",
                f"{self._api_key_env} has characters that are not allowed in an HTTP header",
                "Set it to the key and nothing else",
            )
        return key

    def _reply(self, words: str, warnings: tuple[str, ...], redacted: Redaction) -> Reply:
        """Returns the completion in a response body. Raises `endpoint_failed` if it has none or the model refuses."""
        try:
            body = json.loads(words)
            if isinstance(body, dict) and body.get("error") and not body.get("choices"):
                raise self._failed("an error", None, words)
            choice = body["choices"][0]
            message = choice["message"]
            text, inner = _content_parts(message.get("content"))
            fields = [_content_parts(message.get(key)) for key in ("reasoning_content", "reasoning", "thinking")]
            reasoning = "\n".join(dict.fromkeys(said for field in fields for said in field if said))
            refusal = _content_parts(message.get("refusal"))[0]
            used = body.get("usage")
            used = used if isinstance(used, dict) else {}
            finish = choice.get("finish_reason")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise T2SError(
                "endpoint_failed",
                f"{self.name} answered with something that is not a chat completion",
                "Check that the URL is an OpenAI-compatible base, which usually ends in /v1",
            ) from error
        text, reasoning, refusal = (
            redacted(text),
            redacted("\n".join(filter(None, (inner, reasoning)))),
            redacted(refusal),
        )
        if refusal.strip() and not text.strip():
            quoted = quote(refusal)
            raise T2SError(
                "endpoint_failed", f"{self.name} refused: {quoted!r}", "Reword the question, or use another model"
            )
        if finish == "content_filter" and not text.strip():
            raise T2SError("endpoint_failed", f"{self.name} withheld its answer (content_filter)", "Use another model")
        cut = finish in ("length", "max_tokens", "MAX_TOKENS")
        said = [*warnings]
        if not text.strip():
            text = self._from_reasoning(reasoning, cut, said)
        elif reasoning.strip():
            text = f"<think>{_strip_tags(reasoning)}</think>\n{text}"
        tokens, prompt_tokens = (_count(used.get(key)) for key in ("completion_tokens", "prompt_tokens"))
        return Reply(text, tokens, prompt_tokens, cut, tuple(said))

    def _from_reasoning(self, reasoning: str, cut: bool, warnings: list[str]) -> str:
        """Returns the text of a reply without content: cut off during the thinking, or written into the thinking field.

        The thinking field is used as the answer only if it ends with an answer: some servers misparse an answer as thinking.
        """
        if cut:
            return f"<think>{_strip_tags(reasoning)}"
        if _ENDS_WITH_ANSWER.search(reasoning) or _IS_LIST.fullmatch(reasoning):
            warnings.append("the answer was in the field for the thinking, and the content was empty")
            return reasoning
        if reasoning.strip():
            return f"<think>{_strip_tags(reasoning)}"
        raise T2SError("endpoint_failed", f"{self.name} gave an empty answer", "Ask again, or use another model")

    def _failed(self, problem: str, status: int | None, words: str) -> T2SError:
        if status in (401, 403):
            fix = f"Put a valid key into the environment variable {self._api_key_env}"
        elif status == 404:
            fix = "Check the model's name and the base URL, which usually ends in /v1"
        elif status is not None:
            fix = "Check that the model takes images and that its context is long enough"
        else:
            fix = "Check the URL and that the server runs, or raise endpoint_timeout_s; or use nano, which needs no server"
        said = quote(Redaction(self._key())(_message(words)))
        return T2SError("endpoint_failed", f"{self.name} gave {problem}" + (f": {said!r}" if said else ""), fix)


_ENDS_WITH_ANSWER = re.compile(r"</answer>\s*(?:<\|[^<>|]{1,30}\|>\s*)?\Z", re.IGNORECASE)
_IS_LIST = re.compile(r"\s*(?:```\w*\s*[\[{].*[\]}]\s*```|[\[{].*[\]}])\s*", re.DOTALL)
_TAG = re.compile(r"</?think>", re.IGNORECASE)


def _strip_tags(thinking: str) -> str:
    """Returns the thinking without its own tags, so that ours are the only ones."""
    return _TAG.sub("", thinking)


def _content_parts(content: Any) -> tuple[str, str]:
    """Returns text and thinking of a message's content, which is a text, null, or a list of parts."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return "", ""
    text: list[str] = []
    thinking: list[str] = []
    for part in content[:1000]:
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, dict):
            kind = str(part.get("type", "text"))
            is_thinking = "think" in kind or "reason" in kind
            keys = (
                ("thinking", "reasoning", "text", "content", "summary") if is_thinking else ("text", "content", "value")
            )
            said = next((part[key] for key in keys if part.get(key)), "")
            said = "".join(_content_parts(said)) if isinstance(said, list | dict) else said
            if isinstance(said, str):
                (thinking if is_thinking else text).append(said)
    return "".join(text), "\n".join(thinking)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else 0


def _without_refused(body: dict[str, Any], changes: dict[str, str]) -> dict[str, Any]:
    """Returns the request body without the fields that the server refuses."""
    changed = dict(body)
    for field in changes:
        if field == "max_tokens":
            changed["max_completion_tokens"] = changed.pop("max_tokens")
        elif field == "system":
            changed["messages"] = _merge_system(changed["messages"])
        elif field == "max_completion_tokens":
            changed.pop("max_completion_tokens", None)
        else:
            changed.pop(field, None)
    return changed


def _merge_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages with the system message's text put before the user's text."""
    system = "\n".join(str(message["content"]) for message in messages if message["role"] == "system")
    rest = [dict(message) for message in messages if message["role"] != "system"]
    if system and rest:
        content = rest[0]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        at = next((i for i, part in enumerate(parts) if part.get("type") == "text"), len(parts))
        text = parts[at]["text"] if at < len(parts) else ""
        parts[at : at + 1] = [{"type": "text", "text": f"{system}\n{text}"}]
        rest[0]["content"] = parts
    return rest


def _change_for(words: str, body: dict[str, Any], changes: dict[str, str]) -> tuple[str, str] | None:
    """Returns the field that a server's error refuses and a warning; None if it names no field that can be left out."""
    message = _message(words)[:5_000]
    if not _REFUSES.search(message) and not _REFUSAL_CODE.search(words[:20_000]):
        return None
    named = f"{_parameter(words)} {message}"
    if "max_tokens" in body and re.search(r"\bmax_(?:completion_)?tokens\b", named):
        return "max_tokens", "the server wants max_completion_tokens instead of max_tokens"
    if "max_completion_tokens" in body and re.search(r"\bmax_completion_tokens\b", named):
        return "max_completion_tokens", "the server refuses a limit of tokens, which was left out"
    for field in ("temperature", "seed"):
        if field in body and re.search(rf"\b{field}\b", named, re.IGNORECASE):
            return field, f"the server refuses {field}, which was left out; answers may differ between calls"
    has_system = any(message["role"] == "system" for message in body["messages"])
    if has_system and "system" not in changes and _SYSTEM.search(named):
        return "system", "the server refuses a system message: its text was put before the question"
    return None


def _parameter(words: str) -> str:
    """Returns the field that an error response names: OpenAI's `param`, or the `loc` of a validation error; or ""."""
    try:
        body = json.loads(words)
    except (ValueError, RecursionError):
        return ""
    error = body.get("error", body) if isinstance(body, dict) else {}
    if isinstance(error, dict) and isinstance(error.get("param"), str):
        return str(error["param"])[:200]
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, list) and detail and isinstance(detail[0], dict) and isinstance(detail[0].get("loc"), list):
        return " ".join(str(part) for part in detail[0]["loc"])[:200]
    return ""


def _message(words: str) -> str:
    """Returns a server's error message: the message in JSON, or the text of an HTML page."""
    try:
        return _error_text(json.loads(words), 6)
    except (ValueError, RecursionError):
        pass
    text = words[:20_000]
    if "<" in text:
        text = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", text)
        text = re.sub(r"<[^<>]{0,2000}>", " ", text)
        text = html.unescape(text)
    return text


def _error_text(value: Any, levels: int) -> str:
    if isinstance(value, str):
        if value.lstrip().startswith(("{", "[")) and levels:  # an error as JSON text inside another error
            try:
                return _error_text(json.loads(value), levels - 1) or value
            except (ValueError, RecursionError):
                return value
        return value
    if isinstance(value, list) and levels:
        return "; ".join(filter(None, (_error_text(each, levels - 1) for each in value[:5])))
    if isinstance(value, dict) and levels:
        for key in ("error", "message", "detail", "msg", "error_description", "errors", "title", "reason"):
            if value.get(key) and (said := _error_text(value[key], levels - 1)):
                where = value.get("loc")
                return f"{'.'.join(str(part) for part in where)}: {said}" if isinstance(where, list) else said
    return ""


def quote(words: str) -> str:
    """Returns text from outside as one line of at most 200 characters, without control characters."""
    return one_line(" ".join(one_line(words, 20_000).split()), MOST_QUOTED)


def _parse_url(base_url: str) -> httpx.URL:
    """Returns the parsed URL. Refuses credentials in it, because they would appear in errors and records."""
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


def _retry_after_s(retry_after: str | None) -> float | None:
    """Returns Retry-After in seconds; None for its other form, a date, where our own back-off applies."""
    short = retry_after and len(retry_after) < 10 and retry_after.isascii() and retry_after.isdigit()
    return float(retry_after) if short and retry_after else None
