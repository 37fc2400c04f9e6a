"""Answers, scores and the report of a dataset.

    python -m evals.run answers --dataset isaid448 --root DATA --split test --prompter nano --out runs/nano
    python -m evals.run scores --answers runs/nano --segmenter nano --prompts box+points
    python -m evals.run scores --answers runs/nano --segmenter facebook/sam2.1-hiera-small --protocol t2s
    python -m evals.run compare --scores runs/nano/nano-box+points runs/nano/nano-box --protocol t2s
    python -m evals.run report --scores runs/nano/* --out report.html

Each command goes on where it was stopped. Several processes: `accelerate launch --no-python python -m evals.run answers ...`
(or any launcher that sets RANK and WORLD_SIZE), then `python -m evals.run merge --out runs/nano`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evals.datasets.registry import open_dataset, options_of
from evals.protocols import PROTOCOLS, compare_runs, protocol_named
from evals.report import write_report
from evals.run.answers import SAMPLING, Asking, write_answers
from evals.run.cache import AnswerCache
from evals.run.prompts import PROMPT_KINDS
from evals.run.records import header_of, merge
from evals.run.scores import read_scores, write_scores
from evals.run.shards import Shard
from evals.run.summary import write_summary
from evals.run.tables import table
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.models import Models
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.settings import load_settings

CACHE = Path.home() / ".cache" / "t2s-agent" / "answers.sqlite"
MEMORY_BYTES = 256 * 2**20  # of embeddings: those of one image, or nano's windows
DISK_BYTES = 50 * 2**30


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0, or 2 where it was refused."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except T2SError as error:
        print(error, file=sys.stderr)  # its text ends with what to do
        return 2
    return 0


def answers(options: argparse.Namespace) -> Path:
    """The first stage."""
    shard = Shard.of_environment()
    settings = load_settings(
        prompter=options.prompter,
        device=shard.device(options.device),
        **{name: getattr(options, name) for name in SAMPLING},
    )
    dataset = open_dataset(
        options.dataset, options.root, options.split, on_broken=options.on_broken, **options_of(options.option)
    )
    facts = {"name": options.dataset, "split": options.split, "options": options_of(options.option)}
    looking = Looking.named(options.view, settings.max_size)
    asking = Asking(looking, {name: getattr(settings, name) for name in SAMPLING})
    notes = {
        "dataset": {**facts, "title": dataset.card.title, "licence": dataset.licence, "citation": dataset.citation},
        "root": str(options.root or ""),
        "view": options.view,
        "max_size": settings.max_size,
        "limit": options.limit,
        "total": len(dataset),
        "problems": [str(problem) for problem in dataset.problems],
        "on_broken": options.on_broken,
    }
    return write_answers(
        dataset.samples(),
        Models(settings).prompter(),
        options.out,
        asking=asking,
        dataset=facts,
        total=len(dataset),
        cache=None if options.cache == "none" else AnswerCache(Path(options.cache)),
        shard=shard,
        limit=options.limit,
        skip_broken=options.on_broken == "skip",
        notes=notes,
    )


def scores(options: argparse.Namespace) -> Path:
    """The second stage, and the summary of each protocol."""
    file = _file(options.answers, "answers")
    header = header_of(file)
    notes = header["notes"]
    facts = notes["dataset"]
    root = options.root or notes["root"] or None
    dataset = open_dataset(facts["name"], root, facts["split"], on_broken="skip", **facts["options"])
    shard = Shard.of_environment()
    settings = load_settings(segmenter=options.segmenter, device=shard.device(options.device))
    store = EmbeddingCache(
        MEMORY_BYTES, options.embeddings or file.parent / "embeddings", options.embedding_bytes, keep_first=True
    )
    segmenter = Models(settings, embeddings=store).segmenter()
    slug = f"{Path(options.segmenter).name}-{options.prompts}"
    path = write_scores(
        dataset.samples(),
        file,
        segmenter,
        options.out or file.parent / slug,
        looking=Looking.named(notes["view"], notes["max_size"]),
        prompts=options.prompts,
        shard=shard,
        skip_broken=(options.on_broken or notes.get("on_broken")) == "skip",
        notes={
            "answers": str(file),
            "dataset": facts,
            "root": str(root or ""),
            "view": notes["view"],
            "max_size": notes["max_size"],
            "total": notes["total"],
            "problems": len(notes["problems"]),
        },
    )
    _say_store(store)
    if shard.world == 1:
        _summarize(path, options.protocol)
    return path


def _say_store(store: EmbeddingCache) -> None:
    asked = store.made + store.from_memory + store.from_disk
    if asked:
        print(
            f"embeddings: {store.made} made, {store.from_memory} from memory, {store.from_disk} from disk: "
            f"{1 - store.made / asked:.1%} were there",
            file=sys.stderr,
        )


def _summarize(path: Path, names: Sequence[str] | None) -> None:
    for name in names or PROTOCOLS:
        summary = json.loads(write_summary(path, protocol_named(name)).read_text(encoding="utf-8"))
        print(table(summary))


def merge_shards(options: argparse.Namespace) -> None:
    """Makes one file of each stage's shards."""
    merged = False
    for stem in ("answers", "scores"):
        parts = sorted(options.out.glob(f"{stem}-*-of-*.jsonl"))
        if parts:
            worlds = {part.stem.rsplit("-", 1)[1] for part in parts}
            if len(worlds) != 1 or len(parts) != int(*worlds):
                raise T2SError(
                    "argument_invalid",
                    f"there are {len(parts)} shards of {' and '.join(sorted(worlds))} processes",
                    "Finish all shards of one run, and remove those of other runs",
                )
            print(f"{merge(parts, options.out / f'{stem}.jsonl')} rows in {options.out / f'{stem}.jsonl'}")
            merged = True
    if not merged:
        raise T2SError("argument_invalid", f"{options.out} holds no shards", "Name the folder that the stages wrote to")


def compare(options: argparse.Namespace) -> None:
    """Prints what the second run is better by than the first."""
    first, second = (read_scores(_file(path, "scores"))[0] for path in options.scores)
    for name in options.protocol or PROTOCOLS:
        found = compare_runs(first, second, protocol_named(name))
        print(f"{name}: second less first, {next(iter(found.values())).clusters} clusters")
        for metric, each in found.items():
            if each.difference is not None and each.low is not None:
                bounds = f"[{each.low:+.4f}, {each.high:+.4f}]"
                print(
                    f"  {metric:20s}{each.difference:+9.4f} {bounds:22s} p {each.p_permutation:.4f} (permutation), "
                    f"{each.p_bootstrap:.4f} (bootstrap)"
                )


def report(options: argparse.Namespace) -> None:
    """Writes the report."""
    files = [_file(path, "scores") for path in options.scores]
    print(write_report(files, options.out, calibration=options.calibration, gallery=options.gallery))


def _file(path: Path, stem: str) -> Path:
    file = path / f"{stem}.jsonl" if path.is_dir() else path
    if not file.is_file():
        shards = list(path.glob(f"{stem}-*-of-*.jsonl")) if path.is_dir() else []
        fix = f"Merge its shards: python -m evals.run merge --out {path}" if shards else "Run the stage before this one"
        raise T2SError("argument_invalid", f"there is no {stem}.jsonl in {path}", fix)
    return file


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    first = commands.add_parser("answers", help="ask a prompter")
    first.set_defaults(run=answers)
    add_answer_options(first)
    first.add_argument("--prompter", default="nano", help="nano, a hub name, a folder, URL#model, scripted:FILE")
    first.add_argument("--dataset", required=True)
    first.add_argument("--root", type=Path, help="folder of the dataset")
    first.add_argument("--split", default="test")
    first.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the dataset")
    first.add_argument("--out", type=Path, required=True)
    second = commands.add_parser("scores", help="draw masks and compare them with the truth")
    second.set_defaults(run=scores)
    add_score_options(second)
    second.add_argument("--answers", type=Path, required=True, help="folder or file of the first stage")
    second.add_argument("--segmenter", default="nano", help="nano, box, a hub name, a folder, a .pth file")
    second.add_argument("--prompts", choices=PROMPT_KINDS, default="box+points")
    second.add_argument("--root", type=Path, help="folder of the dataset, where it has moved")
    second.add_argument("--on-broken", choices=("stop", "skip"), help="default: what the answers were made with")
    second.add_argument("--out", type=Path, help="default: a folder beside the answers")
    joined = commands.add_parser("merge", help="make one file of several processes' files")
    joined.set_defaults(run=merge_shards)
    joined.add_argument("--out", type=Path, required=True)
    pair = commands.add_parser("compare", help="compare two runs over the same samples")
    pair.set_defaults(run=compare)
    pair.add_argument("--scores", type=Path, nargs=2, required=True)
    pair.add_argument("--protocol", action="append", choices=PROTOCOLS)
    page = commands.add_parser("report", help="write one HTML file")
    page.set_defaults(run=report)
    page.add_argument("--scores", type=Path, nargs="+", required=True)
    page.add_argument("--out", type=Path, default=Path("report.html"))
    page.add_argument("--calibration", type=Path, help="JSON of evals.calibrate")
    page.add_argument("--gallery", type=int, default=8, help="samples in each gallery")
    return parser


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """How a prompter is asked."""
    parser.add_argument("--view", default="served", help="served, or square:840 as Think2Seg-RS shows images")
    parser.add_argument("--limit", type=int, help="only the first so many images")
    parser.add_argument("--on-broken", choices=("stop", "skip"), default="stop")
    parser.add_argument("--cache", default=str(CACHE), help="file of answers kept across runs, or none")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--style", help="prompt style")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--max-new-tokens", type=int)


def add_score_options(parser: argparse.ArgumentParser) -> None:
    """How answers are scored."""
    parser.add_argument("--protocol", action="append", choices=PROTOCOLS, help="default: all")
    parser.add_argument("--embeddings", type=Path, help="folder of the embedding store; default: beside the answers")
    parser.add_argument("--embedding-bytes", type=int, default=DISK_BYTES, help="bytes that the store may take")
    if not any("--device" in action.option_strings for action in parser._actions):
        parser.add_argument("--device", default="auto")


if __name__ == "__main__":
    sys.exit(main())
