"""Questions put through the real server: by script, by a model behind an endpoint, and by an agent from outside."""

import json
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from chat_server.data import chat_server

from evals.chains.chat import Endpoint, EndpointFailed
from evals.chains.endpoint import ByEndpoint, answer_in, look
from evals.chains.perception import TruthAnswers
from evals.chains.questions import read_questions
from evals.chains.records import Records, Setup, read_records
from evals.chains.runner import by_script, run, scored
from evals.chains.scenes import RECIPES, prepare
from evals.chains.solutions import SOLUTIONS
from evals.chains.tools import Log

ROOT = Path(__file__).parents[3]
QUAY = [each for each in read_questions() if each.id in ("quay-count-tanks", "quay-total-tanks", "quay-planes")]


def records(path=None, **more):
    return Records(Setup("made", "truth", 8192, **more), path)


def test_scripts_answer_right_with_true_prompts_and_true_masks(stage, tmp_path):
    log, kept = Log(), records(tmp_path / "records.jsonl")
    run(stage, QUAY, by_script(SOLUTIONS, log), log, kept, scripted=True)
    assert [(row.failure, len(row.calls)) for row in kept.rows] == [("", 1)] * 3
    assert [row.calls[0]["total"] for row in kept.rows] == [7, 7, 0]
    assert [{call["tool"] for call in row.calls} for row in kept.rows] == [set(each.tools) for each in QUAY]
    assert all(call["bytes"] > 100 for row in kept.rows for call in row.calls)
    assert read_records(tmp_path / "records.jsonl")[1] == kept.rows


def test_a_stopped_run_asks_only_what_it_lacks_and_each_seed_once(stage, tmp_path):
    log, path = Log(), tmp_path / "records.jsonl"
    run(stage, QUAY[:1], by_script(SOLUTIONS, log), log, records(path), seeds=(0, 1))
    asked = []

    def solve(question, *_):
        asked.append(question.id)
        return 7

    run(stage, QUAY[:2], solve, log, records(path), seeds=(0, 1))
    assert asked == [QUAY[1].id] * 2
    assert [(row.question, row.seed) for row in read_records(path)[1]] == [
        (each.id, s) for each in QUAY[:2] for s in (0, 1)
    ]


def test_a_solution_that_is_refused_is_a_question_without_an_answer(stage):
    log, kept = Log(), records()
    wrong = {"quay-planes": lambda t: t.find("planes", colour="red")}
    run(stage, [QUAY[-1]], by_script(wrong, log), log, kept)
    assert kept.rows[0].failure == "argument name"
    assert "colour" in kept.rows[0].error
    assert "colour" in kept.rows[0].calls[0]["error"]


def test_a_question_that_follows_up_names_what_counts():
    answers = TruthAnswers([])
    assert answers.meant(
        "the courts (found before, ...). Now: only the tennis courts", ("tennis court", "golf court")
    ) == ["tennis court"]


def test_an_image_is_cut_before_the_truth_answers_for_it(stage):
    scene = stage.scenes["quay"]
    t = scene.transform
    whole = {"epsg": scene.crs.to_epsg(), "transform": list(t)[:6], "width": 640, "height": 640}
    part = whole | {"transform": list(t @ Affine.translation(50, 400))[:6], "width": 80, "height": 90}
    seen, everything = (
        TruthAnswers([scene]).answer(f'find "storage tanks [picture {json.dumps(place)}]"') for place in (part, whole)
    )
    assert (len(seen), len(everything)) == (1, 7)
    x1, _, x2, _ = seen[0]["bbox_2d"]
    assert (x2 - x1) * 80 / 1000 == pytest.approx(52, abs=0.6)  # the tank's 26 m


def test_answers_from_outside_are_scored_with_their_log(cache):
    log = Log()
    log.rows = [
        {
            "question": "quay-count-tanks",
            "tool": "reason_segment",
            "arguments": {"query": "tanks"},
            "total": 7,
            "seconds": 1.0,
        }
    ]
    kept = records()
    scored(QUAY, {"quay-count-tanks": "7", "quay-total-tanks": 12}, log, cache, kept)
    assert [row.failure for row in kept.rows] == ["", "tool", "tool"]
    assert [len(row.calls) for row in kept.rows] == [1, 0, 0]


def test_looking_shows_a_part_of_the_picture_and_refuses_what_lies_outside(stage):
    scene = stage.scenes["quay"]
    text, pictures = look(scene, {"left": 10, "top": 20, "right": 110, "bottom": 80})
    assert "10, 20 to 110, 80" in text
    assert len(pictures) == 1
    assert look(scene, {"left": 700, "top": 0, "right": 800, "bottom": 9})[1] == []
    assert look(scene, {"left": "a"})[1] == []


def test_the_answer_is_the_last_json_of_a_text():
    assert answer_in('So {"answer": 6}, no, {"answer": [1, 2]}.') == [1, 2]
    assert answer_in("seven") == "seven"
    assert answer_in(" ") is None


def called(name, **arguments):
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return {"choices": [{"message": {"content": None, "tool_calls": [call]}}], "usage": {"prompt_tokens": 9}}


def said(text):
    return {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 20, "completion_tokens": 4}}


def by_model(stage, turns, *, pictures_only=False, questions=QUAY[:1], **more):
    """The records of a model that says these turns, and the requests that it was sent."""
    left, log, kept = list(turns), Log(), records(pictures_only=pictures_only)
    with chat_server(lambda body: (200, left.pop(0))) as (url, seen):
        solve = ByEndpoint(Endpoint(f"{url}#m", sleep=lambda _: None), log, pictures_only=pictures_only)
        run(stage, questions, solve, log, kept, **more)
    return kept.rows, seen


def test_a_served_model_answers_with_the_tools_and_nothing_else(stage):
    turns = [called("reason_segment", image="quay.tif", query="storage tanks", preview=False), said('{"answer": 7}')]
    [row], seen = by_model(stage, turns)
    assert (row.answer, row.failure, len(row.calls), row.input_tokens, row.output_tokens) == (7, "", 1, 29, 4)
    assert {each["function"]["name"] for each in seen[0]["tools"]} == {
        "reason_segment",
        "refine_mask",
        "describe_region",
    }
    assert json.loads(seen[1]["messages"][-1]["content"])["total"] == 7


def test_each_seed_is_a_conversation_of_its_own_with_its_seed(stage):
    rows, seen = by_model(stage, [said('{"answer": 7}'), said('{"answer": 8}')], seeds=(0, 1))
    assert [(row.seed, row.answer) for row in rows] == [(0, 7), (1, 8)]
    assert [body["seed"] for body in seen] == [0, 1]
    assert [row.failure for row in rows] == ["", "tool"]


def test_a_served_model_without_tools_gets_pictures_alone(stage):
    turns = [called("look", left=0, top=0, right=640, bottom=640), said('So {"answer": 6}')]
    [row], seen = by_model(stage, turns, pictures_only=True)
    assert (row.answer, row.failure, len(row.calls)) == (6, "perception", 1)
    assert row.calls[0]["picture_bytes"] > 10_000
    assert [each["function"]["name"] for each in seen[0]["tools"]] == ["look"]
    assert seen[1]["messages"][-1]["content"][0]["type"] == "image_url"


def test_an_endpoint_that_fails_stops_the_run_and_records_nothing_for_the_question(stage):
    log, kept = Log(), records()
    with chat_server(lambda body: (401, {})) as (url, _), pytest.raises(EndpointFailed):
        run(stage, QUAY[:1], ByEndpoint(Endpoint(f"{url}#m"), log), log, kept)
    assert kept.rows == []


def test_no_record_holds_the_key(stage, monkeypatch):
    monkeypatch.setenv("T2S_API_KEY", "sk-chains-0123456789abcdef")
    turns = [called("reason_segment", image="quay.tif", prompt="tanks"), said('{"answer": 8}')]
    [row], _ = by_model(stage, turns)
    assert row.failure == "argument name"
    assert "sk-chains" not in json.dumps(asdict(row))


def test_a_scene_is_made_again_when_its_recipe_changes(tmp_path, monkeypatch):
    folder = tmp_path / "scenes"
    prepare(folder, ["courts"])
    with rasterio.open(folder / "imagery" / "courts.tif") as file:
        first = file.read()
    prepare(folder, ["courts"])
    recipe = RECIPES["courts"]
    monkeypatch.setitem(RECIPES, "courts", type(recipe)(recipe.draw, recipe.seed + 1, recipe.about))
    prepare(folder, ["courts"])
    with rasterio.open(folder / "imagery" / "courts.tif") as file:
        assert not np.array_equal(file.read(), first)
    assert not list((folder / "imagery").glob("*.json"))  # the truth lies where the server does not open files


@pytest.mark.slow
def test_an_agent_with_a_shell_answers_over_http(cache, tmp_path):
    command = [sys.executable, "-m", "evals.chains", "--cache", str(cache)]
    port = free_port()
    serving = [*command, "serve", "--questions", "quay-count-tanks", "--port", str(port)]
    with subprocess.Popen(serving, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        try:
            assert any("serves http" in line for line in server.stderr)
            asked = ["call", "reason_segment", '{"image": "quay.tif", "query": "storage tanks"}']
            there = ["--url", f"http://127.0.0.1:{port}/mcp", "--log", str(tmp_path / "log.jsonl")]
            answer = subprocess.run(
                [*command, *asked, *there, "--question", "quay-count-tanks", "--picture", str(tmp_path / "seen.jpg")],
                cwd=ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert json.loads(answer.stdout)["total"] == 7
        finally:
            server.terminate()
    assert (tmp_path / "seen.jpg").read_bytes()[:2] == b"\xff\xd8"
    (tmp_path / "answers.json").write_text('{"quay-count-tanks": 7}')
    scoring = ["score", str(tmp_path / "answers.json"), "--log", str(tmp_path / "log.jsonl")]
    table = subprocess.run(
        [*command, *scoring, "--questions", "quay-count-tanks"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "1/1" in table.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
