"""The agent trial: truth worked by hand, answers judged, and questions played through the real server."""

import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from evals.chains.endpoint import Examinee, look
from evals.chains.perception import Knowing
from evals.chains.questions import AnswerForm, Question, chosen_questions, read_questions
from evals.chains.report import as_text, read_run, side_by_side, summary, write_run
from evals.chains.runner import Run, by_script, play, scored, staged
from evals.chains.scenes import RECIPES, Scene, Thing, mask_of, prepare
from evals.chains.score import as_number, failure, named_categories, right, sturdy
from evals.chains.solutions import SOLUTIONS
from evals.chains.tools import Log
from evals.chains.truth import Exact, Selection, Truth, Worked, work_out

ROOT = Path(__file__).parents[3]
SIDE = 1000  # px of half a metre
K = 0.9996  # metres of UTM for a metre on the ground, on the central meridian


def scene_of(*things, name="made"):
    """A scene on the central meridian of a UTM zone: rectangles (category, left, top, right, bottom) in pixels."""
    made = []
    for category, *corners in things:
        outline = shapely.box(*corners)
        made.append(Thing(category, outline, *mask_of(outline)))
    transform = Affine(0.5, 0, 500_000 - 250, 0, -0.5, 5_000_000)
    return Scene(name, None, SIDE, SIDE, 0.5, CRS.from_epsg(32631), transform, made)


def answer_of(scene, measure, of, **more):
    return work_out(scene, Truth(measure=measure, of=of, **more)).answer


YARD = scene_of(
    ("yard", 100, 100, 500, 500),
    ("tank", 150, 150, 190, 170),  # 20 m x 10 m, in the yard
    ("tank", 300, 150, 320, 190),  # 10 m x 20 m, in the yard, 55 m east of the first
    ("tank", 600, 150, 660, 190),  # 30 m x 20 m, 140 m east of the second
    ("shed", 700, 150, 740, 190),  # 20 m east of the third
)
TANKS = {"things": "tank"}


def test_measures_are_those_of_the_ground_not_of_the_map():
    assert answer_of(YARD, "total_area", TANKS) == pytest.approx((200 + 200 + 600) / K**2, rel=1e-5)
    assert answer_of(YARD, "median_area", TANKS) == pytest.approx(200 / K**2, rel=1e-5)
    assert answer_of(YARD, "total_perimeter", TANKS) == pytest.approx((60 + 60 + 100) / K, rel=1e-5)
    assert answer_of(YARD, "longest", TANKS) == pytest.approx(30 / K, rel=1e-5)
    assert answer_of(YARD, "share_of_image", TANKS) == pytest.approx(100 * 1000 / 250_000, rel=1e-5)
    assert answer_of(YARD, "per_hectare", TANKS) == pytest.approx(3 / 25 * K**2, rel=1e-4)


def test_distances_go_from_edge_to_edge():
    assert answer_of(YARD, "nearest_distance", TANKS, to={"things": "shed"}) == pytest.approx(20 / K, rel=1e-5)
    assert answer_of(YARD, "nearest_distance", TANKS) == pytest.approx(55 / K, rel=1e-5)
    assert answer_of(YARD, "distance_of_nth", TANKS, to={"things": "shed"}, n=2) == pytest.approx(190 / K, rel=1e-5)
    assert answer_of(YARD, "pairs_within", TANKS, metres=56) == 1
    assert answer_of(YARD, "pairs_within", TANKS, metres=141) == 2


def test_an_orientation_is_counted_clockwise_from_north():
    slanted = shapely.affinity.rotate(
        shapely.box(400, 480, 600, 520), -30, origin="center"
    )  # up to the right on the map
    scene = scene_of()
    scene.things.append(Thing("ship", slanted, *mask_of(slanted)))
    assert answer_of(scene, "orientation", {"things": "ship"}) == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        ({"things": "tank", "inside": {"things": "yard"}}, 2),
        ({"things": "tank", "outside": {"things": "yard"}}, 1),
        ({"things": "tank", "within": {"metres": 60, "of": {"things": "shed"}}}, 1),
        ({"things": "tank", "beyond": {"metres": 60, "of": {"things": "shed"}}}, 2),
        ({"things": "tank", "area_from": 300}, 1),
        ({"things": "tank", "bbox": (0, 0, 0.5, 1)}, 2),
        ({"any_of": [{"things": "tank"}, {"things": "shed"}]}, 4),
        ({"things": "tank", "minus": {"things": "tank", "first": {"count": 1, "by": "area"}}}, 2),
        ({"things": "tank", "nearest_to": {"things": "shed"}}, 1),
        ({"things": "plane"}, 0),
    ],
)
def test_selections_keep_what_they_say(selection, count):
    assert answer_of(YARD, "count", selection) == count


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12, unique=True), st.floats(1, 200)
)
def test_what_is_within_and_what_is_beyond_make_the_whole(places, metres):
    tanks = [("tank", x * 90 + 10, y * 90 + 10, x * 90 + 50, y * 90 + 50) for x, y in places]
    scene = scene_of(("shed", 930, 930, 960, 960), *tanks)
    near = Selection.model_validate({"things": "tank", "within": {"metres": metres, "of": {"things": "shed"}}})
    far = Selection.model_validate({"things": "tank", "beyond": {"metres": metres, "of": {"things": "shed"}}})
    exact = Exact(scene)
    assert sorted(exact.chosen(near) + exact.chosen(far)) == exact.chosen(Selection(things="tank"))
    assert exact.chosen(Selection(all_of=[near, far])) == []


def test_totals_that_differ_by_less_than_their_edges_are_undecided():
    close = {"to": {"things": "shed"}, "names": ("tanks", "sheds")}
    assert answer_of(YARD, "larger_total", TANKS, **close) == "tanks"
    equal = scene_of(("tank", 100, 100, 140, 140), ("shed", 300, 300, 340, 341))
    assert answer_of(equal, "larger_total", TANKS, **close) == "undecided"


def test_the_mask_of_an_outline_is_not_wider_than_it():
    disc = shapely.Point(100.3, 80.6).buffer(20, 64)
    mask, offset = mask_of(disc)
    assert mask.sum() == pytest.approx(disc.area, rel=0.005)
    assert offset == (60, 80)


# how answers are judged


def question_of(kind="count", truth=None, scene="quay", **form):
    return Question(
        id="made",
        scene=scene,
        topic="made",
        text="?",
        answer=AnswerForm(kind=kind, **form),
        truth=Truth.model_validate(truth or {"measure": "count", "of": TANKS}),
    )


@pytest.mark.parametrize("answer", [7, 7.0, "7", "There are 7."])
def test_a_count_is_right_however_it_is_written(answer):
    assert right(question_of(), Worked(7), answer, 0.5)
    assert not right(question_of(), Worked(8), answer, 0.5)


def test_a_text_with_two_numbers_is_no_number():
    assert as_number("7 of 9") is None
    assert as_number("1,234.5 m") == 1234.5
    assert as_number(True) is None


def test_positions_may_come_in_any_order_and_must_be_all():
    form = question_of("positions", px=2.0)
    places = [[3.0, 45.0], [3.001, 45.0]]
    assert right(form, Worked(places), places[::-1], 0.5)
    assert not right(form, Worked(places), places[:1], 0.5)
    assert not right(form, Worked(places), [places[0], places[0]], 0.5)
    assert right(form, Worked(places), [[3.0, 45.0 + 0.9 / 111_320], places[1]], 0.5)  # 0.9 m: 1.8 px
    assert not right(form, Worked(places), [[3.0, 45.0 + 1.1 / 111_320], places[1]], 0.5)  # 2.2 px


def found(total, **more):
    return {"tool": "reason_segment", "arguments": {"query": "tanks"}, "total": total, "bytes": 9, "seconds": 0, **more}


def test_each_class_of_failure_is_told_apart():
    area = question_of("number", unit="m2", tolerance=0.02)
    good = [found(3)]
    assert failure(area, Worked(1000.0), 1010, YARD, good) == ""
    assert failure(area, Worked(1000.0), None, YARD, good) == "no answer"
    assert failure(area, Worked(1000.0), 0.1, YARD, good) == "unit"  # hectares
    assert failure(area, Worked(1000.0), 4000, YARD, good) == "unit"  # pixels of half a metre
    assert failure(area, Worked(1000.0), 1500, YARD, []) == "tool"
    refused = found(3, error="argument_invalid: reason_segment has no argument 'prompt'.")
    assert failure(area, Worked(1000.0), 1500, YARD, [refused]) == "argument name"
    assert failure(area, Worked(1000.0), 1500, YARD, [found(2)]) == "perception"
    assert failure(area, Worked(1000.0), 1500, YARD, good) == "value"


def test_a_question_that_hangs_on_half_a_pixel_is_found():
    near = {"measure": "count", "of": {"things": "tank", "within": {"metres": 20.1, "of": {"things": "shed"}}}}
    assert sturdy(question_of(truth=near), YARD)
    near["of"]["within"]["metres"] = 60
    assert not sturdy(question_of(truth=near), YARD)


def test_a_category_is_named_in_singular_or_plural_or_by_its_last_word():
    categories = ("storage tank", "ship", "building")
    assert named_categories("All the storage tanks", categories) == ["storage tank"]
    assert named_categories("which tank, which ship?", categories) == ["storage tank", "ship"]
    assert named_categories("planes", categories) == []


# the questions that come with the trial


def test_there_are_enough_questions_and_half_are_hard():
    questions = read_questions()
    hard = [each for each in questions if each.hard]
    assert len(questions) >= 34
    assert len({each.scene for each in questions}) >= 10
    assert len(hard) >= len(questions) / 2
    for each in hard:
        assert each.answer.kind != "number" or each.answer.tolerance <= 0.02
        assert each.answer.px <= 2
    assert {each.id for each in questions} == set(SOLUTIONS)


def test_a_question_with_a_field_too_many_or_an_unknown_scene_is_refused(tmp_path):
    file = tmp_path / "questions.yaml"
    row = {
        "id": "a", "scene": "quay", "class": "count", "text": "?", "answer": {"kind": "count"},
        "truth": {"measure": "count", "of": TANKS},
    }  # fmt: skip
    file.write_text(json.dumps([row]))
    assert read_questions(file)[0].topic == "count"
    for wrong in ({"scene": "moon"}, {"hint": "7"}, {"truth": {"measure": "count", "of": {}}}):
        file.write_text(json.dumps([row | wrong]))
        with pytest.raises(ValueError):
            read_questions(file)
    file.write_text(json.dumps([row, row]))
    with pytest.raises(ValueError, match="twice"):
        read_questions(file)


def test_questions_are_chosen_by_hardness_or_by_id():
    questions = read_questions()
    assert all(each.hard for each in chosen_questions(questions, "hard"))
    assert [each.id for each in chosen_questions(questions, "quay-planes")] == ["quay-planes"]
    with pytest.raises(ValueError, match="quay-boats"):
        chosen_questions(questions, "quay-boats")


# played through the real server


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    prepare(folder, ["quay"])
    return folder


@pytest.fixture
def stage(cache, tmp_path):
    with staged(cache, ["quay"], tmp_path / "store") as stage:
        yield stage


QUAY = [each for each in read_questions() if each.id in ("quay-count-tanks", "quay-total-tanks", "quay-planes")]


def test_scripts_answer_right_with_true_prompts_and_true_masks(stage, tmp_path):
    log = Log(tmp_path / "log.jsonl")
    run = Run("script", "truth", 8192, play(stage, QUAY, by_script(SOLUTIONS, log), log))
    assert [each.failure for each in run.played] == ["", "", ""]
    assert [each.calls for each in run.played] == [1, 1, 1]
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["total"] for row in rows] == [7, 7, 0]
    assert all(row["bytes"] > 100 for row in rows)
    assert summary(run)["all"]["right"] == 3
    assert "quay-planes" in as_text(run)
    write_run(run, tmp_path / "run.json")
    assert read_run(tmp_path / "run.json") == run
    assert "3/3" in side_by_side(run, run, ("one", "other"))


def test_a_solution_that_is_refused_is_a_question_without_an_answer(stage):
    log = Log()
    wrong = {"quay-planes": lambda t: t.find("planes", colour="red")}
    played = play(stage, QUAY[2:], by_script(wrong, log), log)[0]
    assert played.failure == "no answer"
    assert "colour" in played.error
    assert "error" in log.rows[0]


def test_an_image_is_cut_before_the_model_that_knows_sees_it(stage):
    scene = stage.scenes["quay"]
    t = scene.transform
    place = {
        "epsg": scene.crs.to_epsg(),
        "transform": list(t @ Affine.translation(50, 400))[:6],
        "width": 80,
        "height": 90,
    }
    seen = Knowing([scene]).answer(f'find "storage tanks [picture {json.dumps(place)}]"')
    whole = Knowing([scene]).answer(
        f'find "storage tanks [picture {json.dumps(place | {"transform": list(t)[:6], "width": 640, "height": 640})}]"'
    )
    assert (len(seen), len(whole)) == (1, 7)
    x1, _, x2, _ = seen[0]["bbox_2d"]
    assert (x2 - x1) * 80 / 1000 == pytest.approx(52, abs=0.6)  # the tank's 26 m


def test_answers_from_outside_are_scored_with_their_log(cache):
    log = [found(7, question="quay-count-tanks", picture_bytes=0)]
    played = scored(QUAY, {"quay-count-tanks": "7", "quay-total-tanks": 12}, log, cache, pictures_only=False)
    assert [each.failure for each in played] == ["", "tool", "no answer"]
    assert [each.calls for each in played] == [1, 0, 0]


def test_looking_shows_a_part_of_the_picture_and_refuses_what_lies_outside(stage):
    scene = stage.scenes["quay"]
    text, pictures = look(scene, {"left": 10, "top": 20, "right": 110, "bottom": 80})
    assert "10, 20 to 110, 80" in text
    assert len(pictures) == 1
    assert look(scene, {"left": 700, "top": 0, "right": 800, "bottom": 9})[1] == []
    assert look(scene, {"left": "a"})[1] == []


@pytest.fixture
def examiner():
    """A served model that does what it is told to say, one reply after the other; `heard` is what it was sent."""

    def serve(*replies):
        heard = []

        class Model(BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                body = json.dumps({"choices": [{"message": replies[len(heard) - 1]}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1#model", heard

    servers = []
    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def called(name, **arguments):
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def test_a_served_model_takes_the_trial_with_the_tools(stage, examiner):
    url, heard = examiner(
        called("reason_segment", image="quay.tif", query="storage tanks", preview=False), {"content": '{"answer": 7}'}
    )
    log = Log()
    played = play(stage, QUAY[:1], Examinee(url, log), log)[0]
    assert (played.answer, played.failure, played.calls) == (7, "", 1)
    names = {function["function"]["name"] for function in heard[0]["tools"]}
    assert names == {"reason_segment", "refine_mask", "describe_region"}
    assert json.loads(heard[1]["messages"][-1]["content"])["total"] == 7


def test_a_served_model_without_tools_gets_pictures_alone(stage, examiner):
    url, heard = examiner(called("look", left=0, top=0, right=640, bottom=640), {"content": 'So {"answer": 6}'})
    log = Log()
    played = play(stage, QUAY[:1], Examinee(url, log, pictures_only=True), log, pictures_only=True)[0]
    assert (played.answer, played.failure, played.calls) == (6, "perception", 1)
    assert played.picture_bytes > 10_000
    assert [function["function"]["name"] for function in heard[0]["tools"]] == ["look"]
    assert heard[1]["messages"][-1]["content"][0]["type"] == "image_url"


def test_a_scene_is_drawn_again_when_its_recipe_changes(tmp_path, monkeypatch):
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
def test_an_agent_with_a_shell_takes_the_trial_over_http(cache, tmp_path):
    command = [sys.executable, "-m", "evals.chains", "--cache", str(cache)]
    port = free_port()
    serving = [*command, "serve", "--questions", "quay-count-tanks", "--port", str(port)]
    with subprocess.Popen(serving, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        try:
            assert any("serves http" in line for line in server.stderr)
            asked = ["call", "reason_segment", '{"image": "quay.tif", "query": "storage tanks"}']
            there = ["--url", f"http://127.0.0.1:{port}/mcp", "--log", str(tmp_path / "log.jsonl")]
            said = subprocess.run(
                [*command, *asked, *there, "--question", "quay-count-tanks", "--picture", str(tmp_path / "seen.jpg")],
                cwd=ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert json.loads(said.stdout)["total"] == 7
        finally:
            server.terminate()
    assert (tmp_path / "seen.jpg").read_bytes()[:2] == b"\xff\xd8"
    (tmp_path / "answers.json").write_text('{"quay-count-tanks": 7}')
    scoring = ["score", str(tmp_path / "answers.json"), "--log", str(tmp_path / "log.jsonl")]
    told = subprocess.run(
        [*command, *scoring, "--questions", "quay-count-tanks"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "1/1" in told.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
