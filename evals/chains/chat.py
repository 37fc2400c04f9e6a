"""Conversations with tools over HTTP: the OpenAI-compatible chat completions, and Anthropic's messages.

A `Chat` is one conversation. It is begun with a question and the tools, gives one turn at a time, and takes the results of the calls
that the turn asked for. The key is read from an environment variable, sent in a header, and taken out of every error.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import httpx

from t2s_agent.prompting.secret import Redaction

Api = Literal["openai", "anthropic"]
KEYS: dict[Api, str] = {"openai": "T2S_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}  # environment variables
MOST_TOKENS = 4096  # of one turn
BUSY = (408, 429, 500, 502, 503, 504, 529)  # 529: Anthropic's "overloaded"
WAITS_S = (1.0, 4.0, 15.0, 60.0)  # before each further try
ANTHROPIC_VERSION = "2023-06-01"


class EndpointFailed(Exception):
    """The endpoint cannot be reached, refuses, or answers something else than its protocol. The run stops; nothing is recorded."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is shown it; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a model asks for; `arguments` None where what it wrote is no JSON object."""

    id: str
    name: str
    arguments: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a call gave: text, and pictures as base64 JPEG."""

    call: Call
    text: str
    pictures: Sequence[str] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model said: its text, the calls it asks for, and the tokens that were counted."""

    text: str
    calls: list[Call] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0


class Chat(Protocol):
    """One conversation."""

    def turn(self) -> Turn:
        """The model's next turn. Raises EndpointFailed."""
        ...

    def give(self, results: Sequence[Result]) -> None:
        """The results of all calls of the last turn."""
        ...


class Endpoint:
    """Where conversations are held: `URL#MODEL`, with the key in an environment variable."""

    def __init__(
        self,
        address: str,
        api: Api = "openai",
        *,
        key_variable: str = "",
        timeout_s: float = 300.0,
        temperature: float | None = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        url, _, self.model = address.partition("#")
        if not self.model or not url.startswith(("http://", "https://")):
            raise ValueError("an endpoint is written http(s)://HOST/v1#MODEL")
        if "@" in url:
            raise ValueError("a key does not belong into an address: put it into an environment variable")
        self.api, self._url, self.temperature, self._sleep = api, url.rstrip("/"), temperature, sleep
        key = os.environ.get(key_variable or KEYS[api], "").strip()
        self._redact = Redaction(key)
        headers = {"anthropic-version": ANTHROPIC_VERSION} if api == "anthropic" else {}
        if key:
            headers |= {"x-api-key": key} if api == "anthropic" else {"authorization": f"Bearer {key}"}
        self._http = httpx.Client(timeout=timeout_s, headers=headers)

    def begin(self, system: str, question: str, tools: Sequence[ToolSpec], seed: int) -> Chat:
        """A new conversation. Anthropic's protocol has no seed: there seeds are repetitions."""
        if self.api == "anthropic":
            return _Anthropic(self, system, question, tools)
        return _OpenAI(self, system, question, tools, seed)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request; tried again where the endpoint is busy. Raises EndpointFailed."""
        for wait in (*WAITS_S, None):
            try:
                answer = self._http.post(f"{self._url}/{path}", json=body)
            except httpx.HTTPError as error:
                raise EndpointFailed(f"{self._url}: {type(error).__name__}") from None
            if answer.status_code not in BUSY or wait is None:
                break
            self._sleep(wait)
        if answer.status_code != 200:
            said = self._redact(answer.text[:200].replace("\n", " "))
            raise EndpointFailed(f"{self._url} gave status {answer.status_code}: {said}")
        try:
            content = answer.json()
        except ValueError:
            raise EndpointFailed(f"{self._url} gave no JSON") from None
        if not isinstance(content, dict):
            raise EndpointFailed(f"{self._url} gave no JSON object")
        return content


class _OpenAI:
    """Chat completions with functions; pictures follow as a user's message, since results of functions are text alone."""

    def __init__(self, endpoint: Endpoint, system: str, question: str, tools: Sequence[ToolSpec], seed: int) -> None:
        self._endpoint = endpoint
        self._messages: list[dict[str, Any]] = [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
        ]
        functions = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in tools]
        self._body: dict[str, Any] = {
            "model": endpoint.model,
            "tools": [{"type": "function", "function": each} for each in functions],
            "seed": seed,
        }
        if endpoint.temperature is not None:
            self._body["temperature"] = endpoint.temperature

    def turn(self) -> Turn:
        content = self._endpoint.post("chat/completions", {**self._body, "messages": self._messages})
        try:
            said = content["choices"][0]["message"]
            asked = said.get("tool_calls") or []
            calls = [
                Call(each["id"], each["function"]["name"], _object(each["function"]["arguments"])) for each in asked
            ]
        except (KeyError, IndexError, TypeError, AttributeError):
            raise EndpointFailed("the answer holds no message of the chat completions protocol") from None
        self._messages.append(
            {"role": "assistant", "content": said.get("content"), **({"tool_calls": asked} if asked else {})}
        )
        used = content.get("usage") or {}
        return Turn(
            said.get("content") or "", calls, int(used.get("prompt_tokens", 0)), int(used.get("completion_tokens", 0))
        )

    def give(self, results: Sequence[Result]) -> None:
        for each in results:
            self._messages.append({"role": "tool", "tool_call_id": each.call.id, "content": each.text})
        for picture in (picture for each in results for picture in each.pictures):
            url = {"url": f"data:image/jpeg;base64,{picture}"}
            self._messages.append({"role": "user", "content": [{"type": "image_url", "image_url": url}]})


class _Anthropic:
    """Messages with tools; results, pictures included, are blocks of one user's message."""

    def __init__(self, endpoint: Endpoint, system: str, question: str, tools: Sequence[ToolSpec]) -> None:
        self._endpoint = endpoint
        self._messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
        self._body: dict[str, Any] = {
            "model": endpoint.model,
            "system": system,
            "max_tokens": MOST_TOKENS,
            "tools": [{"name": t.name, "description": t.description, "input_schema": t.parameters} for t in tools],
        }
        if endpoint.temperature is not None:
            self._body["temperature"] = endpoint.temperature

    def turn(self) -> Turn:
        content = self._endpoint.post("messages", {**self._body, "messages": self._messages})
        try:
            blocks = content["content"]
            text = "".join(each["text"] for each in blocks if each["type"] == "text")
            asked = [each for each in blocks if each["type"] == "tool_use"]
            calls = [
                Call(each["id"], each["name"], each["input"] if isinstance(each["input"], dict) else None)
                for each in asked
            ]
        except (KeyError, TypeError):
            raise EndpointFailed("the answer holds no blocks of the messages protocol") from None
        self._messages.append({"role": "assistant", "content": blocks})
        used = content.get("usage") or {}
        return Turn(text, calls, int(used.get("input_tokens", 0)), int(used.get("output_tokens", 0)))

    def give(self, results: Sequence[Result]) -> None:
        self._messages.append({"role": "user", "content": [_block(each) for each in results]})


def _block(result: Result) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": result.text}]
    for picture in result.pictures:
        source = {"type": "base64", "media_type": "image/jpeg", "data": picture}
        parts.append({"type": "image", "source": source})
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": result.call.id, "content": parts}
    return block | ({"is_error": True} if result.failed else {})


def _object(written: Any) -> dict[str, Any] | None:
    """The JSON object that a text holds, "" being an empty one; None for anything else."""
    if isinstance(written, dict):
        return written
    try:
        read = json.loads(written or "{}")
    except (ValueError, TypeError):
        return None
    return read if isinstance(read, dict) else None
