"""Answers questions with nano for `evals.speed.answer`, with the package of any checkout that has nano (8a55278 and later).

It is run as a file, with the checkout on PYTHONPATH. Each line of input is a job, each line of output what it took:
{"image": path, "question": text, "again": bool} -> {"seconds": {"answer", "masks", "whole"}, "text", "tokens", "areas"}.
Models are loaded before the first job. Unless it is asked `again`, all that is kept of pictures is forgotten first.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.settings import load_settings


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine, segment = opened(Path(folder))
        for line in sys.stdin:
            job = json.loads(line)
            print(json.dumps(measured(engine, segment, job)), flush=True)


def opened(store: Path) -> tuple[Any, Callable[..., Any]]:
    """An engine with nano, and the function that answers with it, by the names of the checkout."""
    settings = load_settings(store=store, prompter="nano", segmenter="nano", device="cpu")
    pipeline = import_module("t2s_agent.pipeline")
    if hasattr(pipeline, "Engine"):
        engine, segment = pipeline.Engine.open(settings), pipeline.segment
    else:  # 8a55278
        engine = import_module("t2s_agent.pipeline.workshop").Workshop.open(settings)
        segment = import_module("t2s_agent.pipeline.segment").segment
    engine.models.prompter(), engine.models.segmenter()
    return engine, segment


def forget(engine: Any) -> None:
    """Drops embeddings of crops, and features of pictures where the checkout keeps some."""
    engine.models.segmenter()._inner._cache = EmbeddingCache()
    if prepared := getattr(engine.models.prompter(), "_prepared", None):
        prepared.looks._kept.clear()


def measured(engine: Any, segment: Callable[..., Any], job: dict[str, Any]) -> dict[str, Any]:
    """What an answer, its masks, and a whole call from the file to the stored result take; and what was found."""
    image, question = job["image"], job["question"]
    with engine.scene(image) as scene:
        view = scene.view(max_size=engine.settings.max_size)
    if not job["again"]:
        forget(engine)
    prompter, segmenter = engine.models.prompter(), engine.models.segmenter()
    began = time.perf_counter()
    answer = prompter.answer([view], [question])[0]
    answered = time.perf_counter()
    masks = segmenter.decode(segmenter.embed([view])[0], answer.instances)
    drawn = time.perf_counter()
    if not job["again"]:
        forget(engine)
    asked = time.perf_counter()
    segment(engine, image, question)
    stored = time.perf_counter()
    return {
        "seconds": {"answer": answered - began, "masks": drawn - answered, "whole": stored - asked},
        "text": answer.raw,
        "tokens": answer.tokens,
        "areas": [int(mask.area if hasattr(mask, "area") else mask.sum()) for mask in masks.masks],
    }


if __name__ == "__main__":
    main()
