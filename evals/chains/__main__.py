"""Chained questions about scenes with exact truth, answered by script, by a model behind an endpoint, or by anybody from outside.

    python -m evals.chains scenes                                make the scenes
    python -m evals.chains check                                 does any question hang on less than a pixel? prints exact answers
    python -m evals.chains run --out DIR                         the scripted solutions, prompts and masks from the truth
    python -m evals.chains run --perception nano --out DIR       the same with nano's prompts and masks
    python -m evals.chains run --endpoint http://localhost:11434/v1#qwen3 --seeds 3 --out DIR [--pictures-only]
    python -m evals.chains run --endpoint https://api.anthropic.com/v1#MODEL --api anthropic --out DIR
    python -m evals.chains report DIR [OTHER]                    the table of a run, or two runs side by side

A run that is stopped goes on where it was when it is started again. Keys: T2S_API_KEY, ANTHROPIC_API_KEY, or --key-variable NAME.

For an agent from outside:

    python -m evals.chains serve --questions large --port 8399   serves MCP over HTTP and prints the questions
    python -m evals.chains call TOOL '{"image": "town.tif"}' --question ID    one call, for whoever has only a shell
    python -m evals.chains look SCENE LEFT TOP RIGHT BOTTOM --picture FILE    a part of a picture, for the control
    python -m evals.chains questions --pictures-only             the questions for the control
    python -m evals.chains score ANSWERS.json --log LOG          {"question id": answer, ...}
"""

import argparse
import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path

from evals.chains import questions as asked
from evals.chains.chat import Endpoint, EndpointFailed
from evals.chains.endpoint import BY_EYE, TASK, WITH_TOOLS, ByEndpoint, look, place_of
from evals.chains.questions import Question
from evals.chains.records import Record, Records, Setup, questions_digest, read_records
from evals.chains.report import as_text, side_by_side, summary
from evals.chains.runner import MAX_SIZE, Solver, by_script, run, scored, staged
from evals.chains.scenes import RECIPES, Scene, load, missing, prepare
from evals.chains.score import sturdy
from evals.chains.solutions import SOLUTIONS
from evals.chains.tools import Log, call_once
from evals.chains.truth import Exact, work_out

CACHE = Path.home() / ".cache" / "t2s-agent" / "chains"
PORT = 8399
RECORDS = "records.jsonl"


def main() -> None:
    given = _parser().parse_args()
    try:
        sys.exit(COMMANDS[given.command](given))
    except EndpointFailed as error:
        sys.exit(f"chains: stopped: {error}. What was answered is kept: run it again to go on.")
    except ValueError as error:
        sys.exit(f"chains: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.chains", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"folder of made scenes, {CACHE}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("scenes", "check"):
        _which(commands.add_parser(name))
    run_ = commands.add_parser("run")
    _which(run_)
    _served(run_)
    run_.add_argument("--endpoint", help="URL#MODEL; left out: the scripted solutions")
    run_.add_argument("--api", choices=["openai", "anthropic"], default="openai", help="protocol of the endpoint")
    run_.add_argument("--key-variable", default="", help="environment variable with the endpoint's key")
    run_.add_argument("--temperature", type=float, default=0.0, help="negative: not sent")
    run_.add_argument("--seeds", type=int, default=1, help="each question so many times, seeds from 0")
    run_.add_argument("--pictures-only", action="store_true", help="the endpoint gets pictures and no tools")
    run_.add_argument("--out", type=Path, help=f"folder for {RECORDS}, summary.json and report.txt; gone on with")
    report = commands.add_parser("report")
    report.add_argument("runs", type=Path, nargs="+", help="folders of one run or two")
    sheet = commands.add_parser("questions")
    _which(sheet)
    sheet.add_argument("--pictures-only", action="store_true", help="as they are put to the control")
    serve = commands.add_parser("serve")
    _which(serve)
    _served(serve)
    serve.add_argument("--port", type=int, default=PORT)
    call = commands.add_parser("call")
    call.add_argument("tool", nargs="?", default="", help="left out: the tools with their schemas")
    call.add_argument("arguments", nargs="?", default="{}")
    call.add_argument("--url", default=f"http://127.0.0.1:{PORT}/mcp")
    _logged(call)
    call.add_argument("--picture", type=Path, help="file for the picture of the answer")
    eye = commands.add_parser("look")
    eye.add_argument("scene", choices=list(RECIPES))
    eye.add_argument("edges", type=int, nargs=4, metavar="EDGE", help="left, top, right, bottom, in pixels")
    eye.add_argument("--picture", type=Path, required=True)
    _logged(eye)
    score = commands.add_parser("score")
    score.add_argument("answers", type=Path)
    score.add_argument("--log", type=Path)
    score.add_argument("--out", type=Path, help=f"folder for {RECORDS}, summary.json and report.txt")
    score.add_argument("--pictures-only", action="store_true")
    _which(score)
    return parser


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--questions", default="all", help="all, small, large, real, or ids and scenes with commas")


def _served(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--perception", choices=["truth", "nano-masks", "nano"], default="truth")
    parser.add_argument("--max-size", type=int, default=MAX_SIZE, help="T2S_MAX_SIZE of the server")


def _logged(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", type=Path, default=Path("chains.jsonl"))
    parser.add_argument("--question", default="", help="the question that this is done for")


def _chosen(given: argparse.Namespace) -> tuple[list[Question], list[str]]:
    """The questions that are meant and can be put here, and why others cannot."""
    chosen = asked.chosen_questions(asked.read_questions(), given.questions)
    reasons = {name: reason for name in _names(chosen) if (reason := missing(name))}
    kept = [each for each in chosen if each.scene not in reasons]
    left_out = {name: sum(each.scene == name for each in chosen) for name in reasons}
    return kept, [f"{left_out[name]} questions about {name}: {reason}" for name, reason in reasons.items()]


def _names(questions: list[Question]) -> list[str]:
    return sorted({question.scene for question in questions})


def _scenes(given: argparse.Namespace) -> int:
    questions, skipped = _chosen(given)
    for name in _names(questions):
        prepare(given.cache, [name])
        print(given.cache / "imagery" / f"{name}.tif", flush=True)
    print(*skipped, sep="\n")
    return 0


def _check(given: argparse.Namespace) -> int:
    questions, skipped = _chosen(given)
    prepare(given.cache, _names(questions))
    exact = {name: Exact(load(given.cache, name)) for name in _names(questions)}
    bad = 0
    for question in questions:
        reasons = sturdy(question, exact[question.scene])
        answer = work_out(exact[question.scene].scene, question.truth, exact[question.scene]).answer
        print(f"{question.id}: {answer} {question.answer.unit}", *(f"    {reason}" for reason in reasons), sep="\n")
        bad += len(reasons)
    print(*skipped, f"{len(questions)} questions, {bad} reasons against them", sep="\n")
    return bool(bad)


def _run(given: argparse.Namespace) -> int:
    questions, skipped = _chosen(given)
    if given.pictures_only and not given.endpoint:
        raise ValueError("--pictures-only goes with --endpoint")
    setup = Setup(
        given.endpoint or "script",
        given.perception,
        given.max_size,
        given.pictures_only,
        questions_digest(asked.read_questions()),
    )
    records = Records(setup, given.out / RECORDS if given.out else None)
    log = Log()
    solve: Solver
    if given.endpoint:
        temperature = given.temperature if given.temperature >= 0 else None
        endpoint = Endpoint(given.endpoint, given.api, key_variable=given.key_variable, temperature=temperature)
        solve = ByEndpoint(endpoint, log, pictures_only=given.pictures_only)
    else:
        solve = by_script(SOLUTIONS, log)
    with tempfile.TemporaryDirectory() as store:
        place = staged(
            given.cache, _names(questions), Path(store), perception=given.perception, max_size=given.max_size
        )
        with place as stage:
            seeds = range(given.seeds)
            run(stage, questions, solve, log, records, seeds=seeds, scripted=not given.endpoint, report=_progress)
    _out(records, given.out, skipped)
    return 0


def _progress(row: Record) -> None:
    verdict = row.failure or "right"
    print(f"{row.question} {row.seed}: {verdict}, {len(row.calls)} calls, {row.seconds} s", file=sys.stderr, flush=True)


def _out(records: Records, out: Path | None, skipped: list[str]) -> None:
    text = as_text(records.setup, records.rows, skipped)
    print(text)
    if out:
        facts = {**summary(records.setup, records.rows), "skipped": skipped}
        (out / "summary.json").write_text(json.dumps(facts, indent=1, default=float) + "\n", encoding="utf-8")
        (out / "report.txt").write_text(text + "\n", encoding="utf-8")


def _report(given: argparse.Namespace) -> int:
    runs = [read_records(folder / RECORDS) for folder in given.runs]
    if len(runs) > 2:
        raise ValueError("give one run or two")
    if len(runs) == 1:
        print(as_text(*runs[0]))
    else:
        first, second = (records for _, records in runs)
        print(side_by_side(first, second, (given.runs[0].name[:20], given.runs[1].name[:20])))
    return 0


def _serve(given: argparse.Namespace) -> int:
    from t2s_agent.server.http import serve_http

    questions, skipped = _chosen(given)
    with tempfile.TemporaryDirectory() as store:
        place = staged(
            given.cache, _names(questions), Path(store), perception=given.perception, max_size=given.max_size,
            port=given.port, rate_per_minute=0,
        )  # fmt: skip
        with place as stage:
            print(f"MCP over HTTP: http://127.0.0.1:{given.port}/mcp\n")
            print(_sheet(questions, stage.scenes, pictures_only=False), *skipped, sep="\n")
            sys.stdout.flush()
            serve_http(stage.server, stage.settings)


def _questions(given: argparse.Namespace) -> int:
    questions, skipped = _chosen(given)
    prepare(given.cache, _names(questions))
    scenes = {name: load(given.cache, name) for name in _names(questions)}
    print(_sheet(questions, scenes, pictures_only=given.pictures_only), *skipped, sep="\n")
    return 0


def _sheet(questions: list[Question], scenes: dict[str, Scene], *, pictures_only: bool) -> str:
    """The questions as they are handed out, without answers."""
    lines = [TASK.format(how=BY_EYE if pictures_only else WITH_TOOLS), ""]
    for name, scene in scenes.items():
        lines.append(f"{scene.picture.name}: {RECIPES[name].about}. {place_of(scene)}")
    for question in questions:
        scene = scenes[question.scene]
        lines += ["", f"{question.id} [{scene.picture.name}] {question.asked(scene)}"]
        lines.append(f"    answer: {question.answer.wanted()}")
    return "\n".join(lines)


def _call(given: argparse.Namespace) -> int:
    if not given.tool:
        print(asyncio.run(_listed(given.url)))
        return 0
    log = Log(given.log)
    log.question = given.question
    text, pictures, failed = call_once(given.url, given.tool, json.loads(given.arguments), log)
    print(text)
    if pictures and given.picture:
        given.picture.write_bytes(base64.b64decode(pictures[0]))
    return int(failed)


async def _listed(url: str) -> str:
    from mcp import Client

    async with Client(url) as client:
        tools = (await client.list_tools()).tools
    rows = [{"name": each.name, "description": each.description, "arguments": each.input_schema} for each in tools]
    return json.dumps(rows, indent=1)


def _look(given: argparse.Namespace) -> int:
    prepare(given.cache, [given.scene])
    edges = dict(zip(("left", "top", "right", "bottom"), given.edges, strict=True))
    text, pictures = look(load(given.cache, given.scene), edges)
    log = Log(given.log)
    log.question = given.question
    size = sum(len(each) * 3 // 4 for each in pictures)
    log.add({"tool": "look", "arguments": edges, "bytes": len(text), "picture_bytes": size, "seconds": 0.0})
    print(text)
    if pictures:
        given.picture.write_bytes(base64.b64decode(pictures[0]))
    return int(not pictures)


def _score(given: argparse.Namespace) -> int:
    answers = json.loads(given.answers.read_text(encoding="utf-8"))
    questions, skipped = _chosen(given)
    everything = asked.read_questions()
    if unknown := set(answers) - {question.id for question in everything}:
        raise ValueError(f"there are no questions {sorted(unknown)}")
    setup = Setup(
        f"answers of {given.answers.name}", "as served", MAX_SIZE, given.pictures_only, questions_digest(everything)
    )
    path = given.out / RECORDS if given.out else None
    if path:
        path.unlink(missing_ok=True)
    records = Records(setup, path)
    scored(questions, answers, Log.read(given.log) if given.log else Log(), given.cache, records)
    _out(records, given.out, skipped)
    return 0


COMMANDS = {
    "scenes": _scenes,
    "check": _check,
    "run": _run,
    "report": _report,
    "questions": _questions,
    "serve": _serve,
    "call": _call,
    "look": _look,
    "score": _score,
}

if __name__ == "__main__":
    main()
