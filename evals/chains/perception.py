"""Perception from the truth: a served model that prompts for exactly what is there, and a segmenter that draws it exactly.

The model speaks the OpenAI protocol on loopback and is asked through the product's own endpoint prompter, so that questions,
frames and parsing are the real ones. One thing a served model cannot know is which part of which scene a picture shows: the
prompter writes that behind the question (`PlacedPrompter`). With the truth's masks nothing is left but what the tools do with them.
"""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from evals.chains.scenes import Scene, Thing
from evals.chains.score import named_categories
from t2s_agent.instance import Instance
from t2s_agent.mask import EMPTY, Mask
from t2s_agent.models import Models
from t2s_agent.prompting.endpoint import EndpointPrompter
from t2s_agent.scene.view import View
from t2s_agent.segmenting.segmenter import Embedding, Masks
from t2s_agent.settings import Settings

MODEL = "qwen3-truth"  # a name by which the endpoint prompter takes answers from 0 to 1000
_PLACE = re.compile(r"\[picture (\{.*?\})\]")
_FOLLOW_UP = ". Now: "  # before an instruction that follows a question up: what it names counts
_LEAST_SHARE = 0.5  # of a thing's pixels that a picture must show for the model to see it


class PlacedPrompter(EndpointPrompter):
    """The endpoint prompter, which also says where on the ground the picture lies."""

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Any]:
        placed = [f"{text} {_place(view)}" for view, text in zip(views, questions, strict=True)]
        return list(super().answer(views, placed))


def _place(view: View) -> str:
    transform, crs = view.georeference.transform, view.georeference.crs
    if transform is None or crs is None:
        raise ValueError("the scenes of the chains are georeferenced")
    row = {"epsg": crs.to_epsg(), "transform": list(transform)[:6], "width": view.width, "height": view.height}
    return f"[picture {json.dumps(row)}]"


class TruthAnswers:
    """What is in a picture: the things of the scene that it shows, in its pixels."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._scenes = scenes

    def scene_at(self, crs: CRS | None, transform: Affine, width: int, height: int) -> Scene:
        """The scene on which the middle of a picture lies."""
        east, north = transform @ (width / 2, height / 2)
        for scene in self._scenes:
            x, y = ~scene.transform @ (east, north)
            if crs == scene.crs and 0 <= x <= scene.width and 0 <= y <= scene.height:
                return scene
        raise LookupError("the picture shows no scene of the chains")

    @staticmethod
    def meant(question: str, categories: Sequence[str]) -> list[str]:
        """The categories that a question is about: where it follows an earlier one up, those that it names now."""
        return named_categories(question.rpartition(_FOLLOW_UP)[2], categories)

    def answer(self, question: str) -> list[dict[str, Any]]:
        """Box and point of everything of the named categories, in thousandths of the picture; labels where they are several."""
        found = _PLACE.search(question)
        if found is None:
            return []
        row = json.loads(found[1])
        transform = Affine(*row["transform"])
        scene = self.scene_at(CRS.from_epsg(row["epsg"]), transform, row["width"], row["height"])
        wanted = self.meant(_PLACE.sub("", question), scene.categories)
        to_picture = ~transform @ scene.transform
        sx, sy = 1000 / row["width"], 1000 / row["height"]
        frame = shapely.box(0, 0, 1000, 1000)
        answers = []
        for thing in scene.things:
            if thing.category not in wanted:
                continue
            outline = shapely.transform(
                thing.outline, lambda p: np.stack(to_picture @ (p[:, 0], p[:, 1]), 1) * (sx, sy)
            )
            seen = outline.intersection(frame)
            if seen.area < _LEAST_SHARE * outline.area or not seen.area:
                continue
            inside = seen.representative_point()
            answer: dict[str, Any] = {
                "bbox_2d": [round(v, 2) for v in seen.bounds],
                "positive_points": [[round(inside.x, 2), round(inside.y, 2)]],
            }
            answers.append(answer | ({"label": thing.category} if len(wanted) > 1 else {}))
        return answers


@contextmanager
def served(scenes: Sequence[Scene]) -> Iterator[str]:
    """Serves the model that answers from the truth; gives `URL#MODEL` as the product's settings name it."""
    truth = TruthAnswers(scenes)

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            question = asked["messages"][-1]["content"][-1]["text"]
            if "bbox_2d" in question:
                listed = json.dumps(truth.answer(question.split("identify the target")[0]), separators=(",", ":"))
                text = f"<think>Looked at all of it.</think><answer>```json{listed}```</answer>"
            else:
                text = "An overhead picture."
            choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            body = json.dumps({"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: calls have their own log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1#{MODEL}"
    finally:
        server.shutdown()
        server.server_close()


class TruthSegmenter:
    """Draws the exact mask of the thing that a prompt means: the one of which the box fits best, or that a point lies in."""

    name = "truth"
    digest = "truth-1"

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._truth = TruthAnswers(scenes)
        self._boxes: dict[str, NDArray[np.float64]] = {}

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        return [Embedding(f"truth-{view.digest()}", view.height, view.width, {"view": view}, 0) for view in views]

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        view: View = embedding.features["view"]
        place = view.georeference
        if place.transform is None:
            raise ValueError("the scenes of the chains are georeferenced")
        scene = self._truth.scene_at(place.crs, place.transform, view.width, view.height)
        if scene.name not in self._boxes:
            self._boxes[scene.name] = shapely.bounds([thing.outline for thing in scene.things])
        to_scene = ~scene.transform @ place.transform
        drawn = [
            self._drawn(thing, to_scene, view) if (thing := self._meant(scene, instance, to_scene)) else None
            for instance in instances
        ]
        return masks_of(drawn, view.height, view.width)

    def _meant(self, scene: Scene, instance: Instance, to_scene: Affine) -> Thing | None:
        if instance.box:
            (x1, y1), (x2, y2) = to_scene @ instance.box[:2], to_scene @ instance.box[2:]
            boxes = self._boxes[scene.name]
            shared = np.clip(np.minimum(boxes[:, 2:], (x2, y2)) - np.maximum(boxes[:, :2], (x1, y1)), 0, None).prod(1)
            sizes = (boxes[:, 2:] - boxes[:, :2]).prod(1)
            fit = shared / (sizes + (x2 - x1) * (y2 - y1) - shared)
            best = int(fit.argmax())
            return scene.things[best] if fit[best] > 0 else None
        points = [shapely.Point(*(to_scene @ point)) for point in instance.positive]
        return next((thing for point in points for thing in scene.things if thing.outline.contains(point)), None)

    @staticmethod
    def _drawn(thing: Thing, to_scene: Affine, view: View) -> tuple[NDArray[np.bool_], int, int]:
        """The thing's mask in the View's pixels, cropped, with x and y of its corner: each pixel is what lies at its centre."""
        row, column = thing.offset
        height, width = thing.mask.shape
        (x1, y1), (x2, y2) = ~to_scene @ (column, row), ~to_scene @ (column + width, row + height)
        left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
        right, bottom = min(view.width, int(np.ceil(x2))), min(view.height, int(np.ceil(y2)))
        if left >= right or top >= bottom:
            return np.zeros((0, 0), bool), 0, 0
        columns = np.floor(to_scene.a * (np.arange(left, right) + 0.5) + to_scene.c).astype(int) - column
        rows = np.floor(to_scene.e * (np.arange(top, bottom) + 0.5) + to_scene.f).astype(int) - row
        inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
        values = thing.mask[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)[None]]
        return values & inside, left, top


def masks_of(drawn: Sequence[tuple[NDArray[np.bool_], int, int] | None], height: int, width: int) -> Masks:
    """Cropped masks with x and y of their corners; an empty one for None."""
    cropped = tuple(Mask.of(*each) if each and each[0].size else EMPTY for each in drawn)
    return Masks(cropped, np.ones(len(drawn), np.float32), height, width)


class TruthModels(Models):
    """The models of the settings, except that a URL is asked with its place, and that `truth` names the true masks."""

    def __init__(self, settings: Settings, scenes: Sequence[Scene], *, true_masks: bool) -> None:
        super().__init__(settings)
        self._scenes, self._true_masks = scenes, true_masks

    def _load_prompter(self, name: str) -> Any:
        url, _, model = name.partition("#")
        return PlacedPrompter(url, model, retries=0, same=1.0) if model else super()._load_prompter(name)

    def segmenter(self, name: str | None = None) -> Any:
        return self._truth if self._true_masks else super().segmenter(name)

    @cached_property
    def _truth(self) -> TruthSegmenter:
        return TruthSegmenter(self._scenes)
