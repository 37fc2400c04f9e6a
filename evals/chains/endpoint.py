"""A real model takes the trial: any OpenAI-compatible endpoint, with the MCP tools as its functions, or with pictures alone.

With pictures alone the model has one function, `look`, which shows a part of an image as closely as it likes. It is the control:
what an agent can do by eye.
"""

import base64
import io
import json
import os
from typing import Any

import httpx
from mcp import Client
from PIL import Image

from evals.chains.questions import Question
from evals.chains.scenes import Scene
from evals.chains.tools import Log, ask

MOST_ROUNDS = 60  # of calls for one question
PICTURE_PX = 1024  # longer side of what `look` shows
KEY = "T2S_API_KEY"  # the environment variable with the endpoint's key
TASK = """\
Answer questions about overhead images. {how} Numbers must be right within about two per cent, positions within two pixels."""
LAST = 'When you know, answer with nothing but JSON: {"answer": ...}'
WITH_TOOLS = (
    "Use the tools. reason_segment finds all things of one kind when it is asked for them by their plain name, such as "
    "'storage tanks'; it knows nothing of size, distance or place, which the tools compute."
)
BY_EYE = "Look at it with the function look; zoom in as often as you need."
LOOK = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Shows a part of the image, at most 1024 pixels a side.",
        "parameters": {
            "type": "object",
            "properties": {
                name: {"type": "integer", "description": f"{name} edge in image pixels"}
                for name in ("left", "top", "right", "bottom")
            },
            "required": ["left", "top", "right", "bottom"],
        },
    },
}


class Examinee:
    """A model behind `URL#MODEL`, as a solver of the runner."""

    def __init__(self, endpoint: str, log: Log, *, pictures_only: bool = False, timeout_s: float = 300.0) -> None:
        url, _, self._model = endpoint.partition("#")
        if not self._model:
            raise ValueError(f"{endpoint} names no model; write URL#MODEL")
        self._url, self._log, self._by_eye = f"{url.rstrip('/')}/chat/completions", log, pictures_only
        key = os.environ.get(KEY, "").strip()
        self._http = httpx.Client(timeout=timeout_s, headers={"Authorization": f"Bearer {key}"} if key else {})

    def __call__(self, question: Question, scene: Scene, connection: Any) -> Any:
        async def work(client: Client) -> Any:
            return await self._conversation(client, question, scene)

        return connection(work)

    async def _conversation(self, client: Client, question: Question, scene: Scene) -> Any:
        functions = [LOOK] if self._by_eye else [_function(tool) for tool in (await client.list_tools()).tools]
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": f"{TASK.format(how=BY_EYE if self._by_eye else WITH_TOOLS)}\n{LAST}"},
            {"role": "user", "content": _question(question, scene, with_place=self._by_eye)},
        ]
        for _ in range(MOST_ROUNDS):
            said = self._asked(messages, functions)
            calls = said.get("tool_calls") or []
            if not calls:
                return _answer(said.get("content") or "")
            messages.append({"role": "assistant", "content": said.get("content"), "tool_calls": calls})
            for call in calls:
                text, pictures = await self._called(client, scene, call["function"])
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
                messages += [_shown(picture) for picture in pictures]
        return None

    async def _called(self, client: Client, scene: Scene, function: dict[str, Any]) -> tuple[str, list[str]]:
        try:
            arguments = json.loads(function.get("arguments") or "{}")
        except ValueError:
            arguments = {}
        if not self._by_eye:
            text, pictures, _ = await ask(client, function["name"], arguments, self._log)
            return text, pictures
        text, pictures = look(scene, arguments) if function["name"] == "look" else ("there is no such function", [])
        size = sum(len(each) * 3 // 4 for each in pictures)
        self._log.add(
            {"tool": "look", "arguments": arguments, "bytes": len(text), "picture_bytes": size, "seconds": 0.0}
        )
        return text, pictures

    def _asked(self, messages: list[dict[str, Any]], functions: list[dict[str, Any]]) -> dict[str, Any]:
        body = {"model": self._model, "messages": messages, "tools": functions, "temperature": 0}
        answer = self._http.post(self._url, json=body)
        if answer.status_code != 200:
            raise ValueError(f"the endpoint gave status {answer.status_code}")
        said: dict[str, Any] = answer.json()["choices"][0]["message"]
        return said


def look(scene: Scene, edges: dict[str, Any]) -> tuple[str, list[str]]:
    """A part of a scene as base64 JPEG, and a line about it."""
    import rasterio
    from rasterio.windows import Window

    try:
        left, top, right, bottom = (int(edges[name]) for name in ("left", "top", "right", "bottom"))
    except (KeyError, TypeError, ValueError):
        return "give left, top, right and bottom as whole numbers", []
    left, top = max(0, left), max(0, top)
    right, bottom = min(scene.width, right), min(scene.height, bottom)
    if left >= right or top >= bottom:
        return f"that lies outside of the image, which has {scene.width} x {scene.height} pixels", []
    shrink = max(1.0, max(right - left, bottom - top) / PICTURE_PX)
    shape = (3, max(1, round((bottom - top) / shrink)), max(1, round((right - left) / shrink)))
    with rasterio.open(scene.picture) as file:
        pixels = file.read(window=Window(left, top, right - left, bottom - top), out_shape=shape)
    with io.BytesIO() as out:
        Image.fromarray(pixels.transpose(1, 2, 0)).save(out, "JPEG", quality=88)
        picture = base64.b64encode(out.getvalue()).decode("ascii")
    return f"pixels {left}, {top} to {right}, {bottom} at 1:{shrink:.2f}", [picture]


def place_of(scene: Scene) -> str:
    """Size and place of a scene in words: all that somebody with nothing but pictures needs to name places."""
    corners = [scene.transform @ (x, y) for x, y in ((0, 0), (scene.width, 0), (0, scene.height))]
    degrees = [[round(v, 7) for v in scene.to_lonlat.transform(*corner)] for corner in corners]
    return (
        f"The image has {scene.width} x {scene.height} pixels of {scene.gsd_m} m. Longitude and latitude of its upper left, "
        f"upper right and lower left corner: {degrees[0]}, {degrees[1]}, {degrees[2]}."
    )


def _question(question: Question, scene: Scene, *, with_place: bool) -> str:
    place = f" {place_of(scene)}" if with_place else ""
    return f"Image: {scene.picture.name}.{place}\nQuestion: {question.asked(scene)}\nAnswer: {question.answer.wanted()}"


def _function(tool: Any) -> dict[str, Any]:
    """An MCP tool as a function of the OpenAI protocol."""
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.input_schema},
    }


def _shown(picture: str) -> dict[str, Any]:
    """A picture as a message: the protocol's answers of functions hold text alone."""
    url = f"data:image/jpeg;base64,{picture}"
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


def _answer(text: str) -> Any:
    """The value in the last JSON object of a text; the text itself where there is none."""
    start = text.rfind('{"answer"')
    if start >= 0:
        try:
            return json.JSONDecoder().raw_decode(text[start:])[0]["answer"]
        except (ValueError, KeyError):
            return text
    return text.strip() or None
