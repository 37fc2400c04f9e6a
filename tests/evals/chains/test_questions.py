"""The questions that come with the project, and their format."""

from collections import Counter

import pytest
import yaml

from evals.chains.questions import chosen_questions, read_questions
from evals.chains.scenes import RECIPES, footprints, load, missing, prepare
from evals.chains.score import sturdy
from evals.chains.solutions import SOLUTIONS
from evals.chains.truth import Exact

QUESTIONS = read_questions()
ROW = {
    "id": "a", "scene": "quay", "class": "counting", "text": "?", "answer": {"kind": "count"},
    "truth": {"measure": "count", "of": {"things": "tank"}},
}  # fmt: skip
TOPICS = (
    "counting", "area", "nearest", "within", "beyond", "containment", "comparison", "no target", "refinement", "several results",
    "painted words",
)  # fmt: skip


def test_there_are_sixty_questions_over_twelve_drawn_scenes_and_the_real_ones():
    assert len(QUESTIONS) >= 60
    scenes = Counter(RECIPES[each].kind for each in {question.scene for question in QUESTIONS})
    assert scenes["small"] + scenes["large"] >= 12
    assert scenes["real"] == 2
    assert set(TOPICS) <= {question.topic for question in QUESTIONS}


def test_each_question_has_a_scripted_solution_and_names_its_tools():
    assert {each.id for each in QUESTIONS} == set(SOLUTIONS)
    assert all(each.tools for each in QUESTIONS)


def test_tolerances_are_one_per_cent_or_follow_from_pixels():
    for each in QUESTIONS:
        assert each.answer.tolerance <= 0.01
        assert each.answer.pixels <= (4 if each.answer.kind == "positions" else 3)
        assert each.answer.absolute == 0 or each.answer.unit == "deg"


@pytest.mark.parametrize(
    "wrong",
    [
        {"scene": "moon"},
        {"hint": "7"},
        {"class": "guessing"},
        {"truth": {"measure": "count", "of": {}}},
        {"answer": {"kind": "number", "unit": "m2"}},
        {"answer": {"kind": "number", "unit": "m2", "tolerance": 0.01, "pixels": 1}},
        {"answer": {"kind": "position"}},
        {"text": "the one at {point}"},
        {"tools": ["measure"]},
    ],
)
def test_a_question_that_is_not_of_the_format_is_refused(tmp_path, wrong):
    file = tmp_path / "questions.yaml"
    file.write_text(yaml.safe_dump([ROW]))
    assert read_questions(tmp_path)[0].topic == "counting"
    file.write_text(yaml.safe_dump([ROW | wrong]))
    with pytest.raises(ValueError):
        read_questions(tmp_path)


def test_ids_are_unique_over_all_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump([ROW]))
    with pytest.raises(ValueError, match="twice"):
        read_questions(tmp_path)


def test_questions_are_chosen_by_kind_of_scene_by_scene_or_by_id():
    assert all(each.scene_kind == "large" for each in chosen_questions(QUESTIONS, "large"))
    assert {each.scene for each in chosen_questions(QUESTIONS, "quay,tanks")} == {"quay", "tanks"}
    assert [each.id for each in chosen_questions(QUESTIONS, "quay-planes")] == ["quay-planes"]
    with pytest.raises(ValueError, match="quay-boats"):
        chosen_questions(QUESTIONS, "quay-boats")


def test_small_scenes_have_no_question_that_hangs_on_less_than_a_pixel(tmp_path):
    small = chosen_questions(QUESTIONS, "quay,parking,pitches")
    prepare(tmp_path, {each.scene for each in small})
    for each in small:
        assert sturdy(each, Exact(load(tmp_path, each.scene))) == [], each.id


def test_a_point_and_a_bbox_are_written_into_the_text(tmp_path):
    prepare(tmp_path, ["marina"])
    scene = load(tmp_path, "marina")
    [question] = chosen_questions(QUESTIONS, "marina-ship-at-point")
    lon, lat = Exact(scene).centroid[Exact(scene).chosen(question.point)[0]]
    assert f"[{lon:.7f}, {lat:.7f}]" in question.asked(scene)


@pytest.mark.skipif(bool(missing("alexandria")), reason=missing("alexandria"))
def test_real_questions_are_right_to_a_pixel_and_their_footprints_lie_in_the_imagery(tmp_path):
    prepare(tmp_path, ["alexandria"])
    scene = load(tmp_path, "alexandria")
    assert len(scene.things) == len(footprints(RECIPES["alexandria"].draw, scene.picture)) == 84
    assert scene.gsd_m == pytest.approx(2.0, rel=1e-3)
    for each in chosen_questions(QUESTIONS, "alexandria"):
        assert sturdy(each, Exact(scene)) == [], each.id


def test_where_the_data_are_absent_a_real_scene_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("evals.chains.scenes.GEO", tmp_path)
    assert "kampala.tif" in missing("kampala")
    assert missing("quay") == ""
    with pytest.raises(ValueError, match=r"kampala\.tif"):
        prepare(tmp_path, ["kampala"])
