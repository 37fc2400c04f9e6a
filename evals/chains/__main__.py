"""The agent trial: chained questions about scenes with exact truth, answered by script, by a model, or by anybody from outside.

    python -m evals.chains scenes                           draw the scenes
    python -m evals.chains check                            does any question hang on less than a pixel?
    python -m evals.chains run --questions hard             play the scripted solutions
    python -m evals.chains run --solver endpoint http://localhost:11434/v1#qwen3 [--pictures-only]
    python -m evals.chains compare A.json B.json            two runs side by side

For an agent from outside:

    python -m evals.chains serve --questions hard --port 8399      serves MCP over HTTP and prints the questions
    python -m evals.chains call TOOL '{"image": "town.tif"}' --question ID    one call, for whoever has only a shell
    python -m evals.chains look SCENE LEFT TOP RIGHT BOTTOM --picture FILE    a part of a picture, for the control
    python -m evals.chains questions --pictures-only        the questions for the control
    python -m evals.chains score ANSWERS.json --log LOG     {"question id": answer, ...}
"""

import argparse
import base64
import json
import sys
import tempfile
from pathlib import Path

from evals.chains import questions as asked
from evals.chains.endpoint import BY_EYE, TASK, WITH_TOOLS, Examinee, look, place_of
from evals.chains.questions import Question
from evals.chains.report import as_text, read_run, side_by_side, write_run
from evals.chains.runner import MAX_SIZE, Played, Run, by_script, play, read_log, scored, staged
from evals.chains.scenes import RECIPES, Scene, load, prepare
from evals.chains.score import sturdy
from evals.chains.solutions import SOLUTIONS
from evals.chains.tools import Log, call_once
from evals.chains.truth import Exact

CACHE = Path.home() / ".cache" / "t2s-agent" / "chains"
PORT = 8399


def main() -> None:
    given = _parser().parse_args()
    try:
        sys.exit(COMMANDS[given.command](given))
    except ValueError as error:
        sys.exit(f"chains: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.chains", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"folder of drawn scenes, {CACHE}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("scenes", "check"):
        _which(commands.add_parser(name))
    run = commands.add_parser("run")
    _which(run)
    run.add_argument("--solver", nargs="+", default=["script"], help="script, or endpoint URL#MODEL")
    run.add_argument("--pictures-only", action="store_true", help="the endpoint gets pictures and no tools")
    run.add_argument("--masks", choices=["truth", "nano"], default="truth")
    run.add_argument("--max-size", type=int, default=MAX_SIZE, help="T2S_MAX_SIZE of the server")
    run.add_argument("--out", type=Path, help="folder for run.json, report.txt and log.jsonl")
    compare = commands.add_parser("compare")
    compare.add_argument("runs", type=Path, nargs=2)
    sheet = commands.add_parser("questions")
    _which(sheet)
    sheet.add_argument("--pictures-only", action="store_true", help="as they are put to the control")
    serve = commands.add_parser("serve")
    _which(serve)
    serve.add_argument("--port", type=int, default=PORT)
    serve.add_argument("--masks", choices=["truth", "nano"], default="truth")
    serve.add_argument("--max-size", type=int, default=MAX_SIZE)
    call = commands.add_parser("call")
    call.add_argument("tool", nargs="?", default="", help="left out: the tools with their schemas")
    call.add_argument("arguments", nargs="?", default="{}")
    call.add_argument("--url", default=f"http://127.0.0.1:{PORT}/mcp")
    call.add_argument("--log", type=Path, default=Path("chains.jsonl"))
    call.add_argument("--question", default="", help="the question that the call is made for")
    call.add_argument("--picture", type=Path, help="file for the picture of the answer")
    eye = commands.add_parser("look")
    eye.add_argument("scene", choices=list(RECIPES))
    eye.add_argument("edges", type=int, nargs=4, metavar="EDGE", help="left, top, right, bottom, in pixels")
    eye.add_argument("--picture", type=Path, required=True)
    eye.add_argument("--log", type=Path, default=Path("chains.jsonl"))
    eye.add_argument("--question", default="")
    score = commands.add_parser("score")
    score.add_argument("answers", type=Path)
    score.add_argument("--log", type=Path)
    score.add_argument("--out", type=Path, help="folder for run.json and report.txt")
    score.add_argument("--pictures-only", action="store_true")
    _which(score)
    return parser


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--questions", default="all", help="all, easy, hard, or ids with commas")


def _chosen(given: argparse.Namespace) -> list[Question]:
    return asked.chosen_questions(asked.read_questions(), given.questions)


def _names(questions: list[Question]) -> list[str]:
    return sorted({question.scene for question in questions})


def _scenes(given: argparse.Namespace) -> int:
    for name in _names(_chosen(given)):
        prepare(given.cache, [name])
        print(given.cache / "imagery" / f"{name}.tif", flush=True)
    return 0


def _check(given: argparse.Namespace) -> int:
    questions = _chosen(given)
    prepare(given.cache, _names(questions))
    exact = {name: Exact(load(given.cache, name)) for name in _names(questions)}
    bad = 0
    for question in questions:
        for reason in sturdy(question, exact[question.scene].scene, exact[question.scene]):
            bad += 1
            print(f"{question.id}: {reason}")
    print(f"{len(questions)} questions, {bad} reasons against them")
    return bool(bad)


def _run(given: argparse.Namespace) -> int:
    questions = _chosen(given)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "log.jsonl").unlink(missing_ok=True)
    log = Log(given.out / "log.jsonl" if given.out else None)
    kind, *rest = given.solver
    if kind == "script":
        solve = by_script(SOLUTIONS, log)
    elif kind == "endpoint" and rest:
        solve = Examinee(rest[0], log, pictures_only=given.pictures_only)
    else:
        raise ValueError("--solver is script, or endpoint URL#MODEL")
    name = " ".join(given.solver) + (", pictures only" if given.pictures_only else "")
    with tempfile.TemporaryDirectory() as store:
        place = staged(given.cache, _names(questions), Path(store), masks=given.masks, max_size=given.max_size)
        with place as stage:
            played = play(stage, questions, solve, log, pictures_only=given.pictures_only, told=_told)
    _out(Run(name, given.masks, given.max_size, played), given.out)
    return 0


def _told(row: Played) -> None:
    print(f"{row.question}: {row.failure or 'right'}, {row.calls} calls, {row.seconds} s", file=sys.stderr, flush=True)


def _out(run: Run, out: Path | None) -> None:
    text = as_text(run)
    print(text)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        write_run(run, out / "run.json")
        (out / "report.txt").write_text(text + "\n", encoding="utf-8")


def _compare(given: argparse.Namespace) -> int:
    first, second = (read_run(path) for path in given.runs)
    print(side_by_side(first, second, (given.runs[0].parent.name[:28], given.runs[1].parent.name[:28])))
    return 0


def _serve(given: argparse.Namespace) -> int:
    from t2s_agent.server.http import serve_http

    questions = _chosen(given)
    with tempfile.TemporaryDirectory() as store:
        place = staged(
            given.cache, _names(questions), Path(store), masks=given.masks, max_size=given.max_size,
            port=given.port, rate_per_minute=0,
        )  # fmt: skip
        with place as stage:
            print(f"MCP over HTTP: http://127.0.0.1:{given.port}/mcp\n")
            print(_sheet(questions, stage.scenes, pictures_only=False))
            sys.stdout.flush()
            serve_http(stage.server, stage.settings)


def _questions(given: argparse.Namespace) -> int:
    questions = _chosen(given)
    prepare(given.cache, _names(questions))
    scenes = {name: load(given.cache, name) for name in _names(questions)}
    print(_sheet(questions, scenes, pictures_only=given.pictures_only))
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
        print(_listed(given.url))
        return 0
    arguments = json.loads(given.arguments)
    log = Log(given.log)
    log.question = given.question
    text, pictures, failed = call_once(given.url, given.tool, arguments, log)
    print(text)
    if pictures and given.picture:
        given.picture.write_bytes(base64.b64decode(pictures[0]))
    return int(failed)


def _listed(url: str) -> str:
    import asyncio

    from mcp import Client

    async def work() -> str:
        async with Client(url) as client:
            tools = (await client.list_tools()).tools
            rows = [
                {"name": each.name, "description": each.description, "arguments": each.input_schema} for each in tools
            ]
            return json.dumps(rows, indent=1)

    return asyncio.run(work())


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
    questions = _chosen(given)
    known = {question.id for question in asked.read_questions()}
    if unknown := set(answers) - known:
        raise ValueError(f"there are no questions {sorted(unknown)}")
    log = read_log(given.log) if given.log else []
    played = scored(questions, answers, log, given.cache, pictures_only=given.pictures_only)
    _out(Run(f"answers of {given.answers.name}", "as served", MAX_SIZE, played), given.out)
    return 0


COMMANDS = {
    "scenes": _scenes,
    "check": _check,
    "run": _run,
    "compare": _compare,
    "questions": _questions,
    "serve": _serve,
    "call": _call,
    "look": _look,
    "score": _score,
}

if __name__ == "__main__":
    main()
