"""Measures what the two stages promise: kills lose nothing, and what re-scoring costs. Prints tables; nothing passes or fails.

python -m evals.run.measure kills --times 20       killed by SIGKILL at random bytes, then compared with an unbroken run
python -m evals.run.measure prompts                another kind of prompt, beside the way of the paper's code
python -m evals.run.measure protocols --scores FILE --rows 10000    another protocol over stored rows
python -m evals.run.measure memory --images 1000   the peak memory of both stages
"""

import argparse
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evals.datasets.registry import open_dataset
from evals.datasets.sample import Image, Sample, Truth
from evals.protocols import PROTOCOLS
from evals.run.answers import Asking, answer_from, write_answers
from evals.run.prompts import prompts_of
from evals.run.records import Records, header_of, rows_of
from evals.run.scores import read_scores, write_scores
from evals.run.shards import ALONE, by_image
from evals.run.summary import summary_of, write_summary
from evals.run.views import Looking
from t2s_agent.prompting.scripted import ANY, ScriptedPrompter
from t2s_agent.segmenting.box import BoxSegmenter
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.segmenter import Segmenter

TIMES = ("seconds", "segment seconds")  # metrics that no two runs share
SIDE = 448
TWO = '[{"bbox_2d": [60, 80, 200, 190], "positive_points": [[100, 120], [150, 140]]}, {"bbox_2d": [250, 200, 400, 420], "positive_points": [[300, 300], [350, 330]]}]'


# --- kills


def kills(times: int, scenes: int, seed: int, folder: Path) -> dict[str, Any]:
    """Runs both stages unbroken, and again with `times` kills at random bytes of their files; whether the tables are the same."""
    script = folder / "script.json"
    script.write_text(json.dumps([{"question": ANY, "raw": TWO}]), encoding="utf-8")
    whole, broken = folder / "whole", folder / "broken"
    for command in _stages(whole, script, scenes):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = [Path("answers.jsonl"), Path("scores.jsonl")]
    sizes = [(whole / file).stat().st_size for file in files]
    rng = random.Random(seed)
    moments = sorted(rng.randrange(sum(sizes)) for _ in range(times))
    done = 0
    for number, (file, size, command) in enumerate(zip(files, sizes, _stages(broken, script, scenes), strict=True)):
        before = sum(sizes[:number])
        for moment in (m - before for m in moments if before <= m < before + size):
            done += _killed(command, broken / file, moment)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tables = [_table(each / "scores.jsonl") for each in (whole, broken)]
    return {"kills": done, "rows": len(list(rows_of(broken / "scores.jsonl"))), "identical": tables[0] == tables[1]}


def _stages(out: Path, script: Path, scenes: int) -> list[list[str]]:
    run = [sys.executable, "-m", "evals.run"]
    return [
        [*run, "answers", "--dataset=procedural", f"--option=count={scenes}", f"--prompter=scripted:{script}", f"--out={out}", "--cache=none"],
        [*run, "scores", f"--answers={out}", "--segmenter=box", f"--out={out}", "--protocol=t2s"],
    ]  # fmt: skip


def _killed(command: Sequence[str], file: Path, moment: int) -> bool:
    """Starts a stage and kills it once its file has so many bytes; whether it was still running then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if file.is_file() and file.stat().st_size > moment:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    return process.wait() == -signal.SIGKILL


def _table(scores: Path) -> list[dict[str, Any]]:
    """All protocols' numbers but the times."""
    rows, broken = read_scores(scores)
    found = [summary_of(rows, protocol, broken=broken, resamples=50) for protocol in PROTOCOLS.values()]
    for each in _scores_in(found):
        for name in TIMES:
            each["metrics"].pop(name)
    return found


def _scores_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own = [value] if "metrics" in value else []
        return own + [each for inner in value.values() for each in _scores_in(inner)]
    return [each for inner in value for each in _scores_in(inner)] if isinstance(value, list) else []


# --- another kind of prompt


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall and processor seconds."""

    wall: float
    cpu: float


def _timed(work: Callable[[], object]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def prompts(images: int, answers: int, folder: Path, load: Callable[[EmbeddingCache], Segmenter]) -> dict[str, Spent]:
    """Scoring `images` x `answers` answers of two instances: the paper's code's way, then ours with the store cold and warm.

    The paper's way is an encoder pass an answer and a decoder pass an instance, from the same weights and the same View.
    """
    scenes = list(open_dataset("procedural", None, "test", count=images).samples())
    samples = [each for group in by_image(scenes, ALONE) for each in _repeated(group[0], answers)]
    looking = Looking.named("square:840")
    asking = Asking(looking, {})
    prompter = ScriptedPrompter({ANY: TWO})
    out = folder / f"{images}-{answers}"
    path = write_answers(samples, prompter, out, asking=asking, dataset={"name": "repeated"}, total=len(samples))
    slow = load(EmbeddingCache(0))

    def reference() -> None:
        by_id = {row["id"]: row for row in rows_of(path)}
        for sample in samples:
            view = looking.view(sample.read_image())
            [embedding] = slow.embed([view])
            for instance in prompts_of(answer_from(by_id[sample.id]).instances, "box+points"):
                slow.decode(embedding, [instance])

    def ours(name: str, kind: Any) -> Callable[[], object]:
        segmenter = load(EmbeddingCache(64 * 2**20, out / "embeddings", keep_first=True))  # nothing in memory yet
        return lambda: write_scores(samples, path, segmenter, out / name, looking=looking, prompts=kind)

    return {
        "reference": _timed(reference),
        "cold": _timed(ours("cold", "box+points")),
        "warm, box": _timed(ours("box", "box")),
        "warm, points": _timed(ours("points", "points")),
    }


def _repeated(sample: Sample, times: int) -> list[Sample]:
    return [
        Sample(f"{sample.id}/{i}", sample.image_id, f"{sample.question} ({i})", sample.read_image, sample.read_truth)
        for i in range(times)
    ]


def hiera_small(folder: Path) -> Callable[[EmbeddingCache], Segmenter]:
    """Loads a SAM 2.1 of hiera-small's size with random weights."""
    from transformers import Sam2Config, Sam2Model

    from t2s_agent.segmenting.sam2 import Sam2Segmenter

    backbone = {"model_type": "sam2_hiera_det_model", "blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]}  # fmt: skip
    Sam2Model(Sam2Config(vision_config={"backbone_config": backbone})).save_pretrained(folder)
    return lambda cache: Sam2Segmenter.load(folder, device="cpu", cache=cache)


# --- another protocol


def protocols(scores: Path, rows: int, folder: Path, name: str) -> dict[str, Any]:
    """The time and memory of a protocol over `rows` stored rows: those of `scores`, repeated under other names."""
    header = header_of(scores)
    some = [row for row in rows_of(scores) if "broken" not in row]
    path = folder / f"{rows}" / "scores.jsonl"
    with Records(path, "scores", header["settings"], header["notes"]) as records:
        for number in range(rows):
            row, copy = some[number % len(some)], number // len(some)
            renamed = {key: f"{row[key]} {copy}" for key in ("id", "image_id", "item", "cluster")}
            records.add({**row, **renamed})
    reading = _timed(lambda: read_scores(path, PROTOCOLS[name].grid))
    spent = _timed(lambda: write_summary(path, PROTOCOLS[name]))
    return {"rows": rows, "protocol": name, "read_s": reading.wall, "summary_s": spent.wall, "cpu_s": spent.cpu, "peak_MiB": _peak_mib()}  # fmt: skip


# --- memory


def memory(count: int, folder: Path) -> dict[str, Any]:
    """The peak memory of both stages over `count` images of 448 px, two questions each."""
    truth = np.zeros((SIDE, SIDE), bool)
    truth[80:190, 60:200] = True

    def image(seed: int) -> Image:
        return np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), np.uint8)

    samples = [
        Sample(f"{i}/{k}", f"{i}", f"question {k}", partial(image, i), lambda: Truth(truth))
        for i in range(count)
        for k in range(2)
    ]
    asking = Asking(Looking(), {})
    prompter = ScriptedPrompter({ANY: TWO})
    path = write_answers(samples, prompter, folder, asking=asking, dataset={"name": "noise"}, total=2 * count)
    asked = _peak_mib()
    write_scores(samples, path, BoxSegmenter(), folder, looking=asking.looking)
    return {"images": count, "samples": 2 * count, "answers_peak_MiB": asked, "scores_peak_MiB": _peak_mib()}


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.run.measure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("kills", "prompts", "protocols", "memory"))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--answers", type=int, nargs="+", default=[1, 6])
    parser.add_argument("--scores", type=Path, help="a file of scores, whose rows are repeated")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="segearth")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="t2s-measure-"))
    try:
        if options.what == "kills":
            print(json.dumps(kills(options.times, options.scenes, options.seed, folder)))
        elif options.what == "memory":
            print(json.dumps(memory(options.images, folder)))
        elif options.what == "protocols":
            print(json.dumps(protocols(options.scores, options.rows, folder, options.protocol)))
        else:
            load = hiera_small(folder / "model")
            for answers in options.answers:
                found = prompts(options.images, answers, folder, load)
                base = found["reference"]
                for name, spent in found.items():
                    print(
                        f"{answers} answers an image, {name:14s} {spent.wall:8.2f} s wall ({base.wall / spent.wall:6.2f} x), "
                        f"{spent.cpu:8.2f} s processor ({base.cpu / spent.cpu:6.2f} x)",
                        flush=True,
                    )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
