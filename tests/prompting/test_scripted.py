"""Answers from a file."""

import json

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.prompting.scripted import ScriptedPrompter

RAW = '<think>one</think><answer>```json[{"bbox_2d": [10,20,30,40], "positive_points": [[15,25],[20,30]]}]```</answer>'


def test_a_mapping_answers_in_view_pixels(view_of):
    prompter = ScriptedPrompter({"Where is the tank?": RAW})
    [answer] = prompter.answer([view_of(80, 60)], ["where is  the TANK?"])
    assert answer.instances[0].box == (10, 20, 30, 40)
    assert answer.thinking == "one"
    assert prompter.tell(view_of(80, 60), "Where is the tank?") == RAW


@pytest.mark.parametrize("as_lines", [False, True])
def test_a_file_says_in_which_frame_it_answers(tmp_path, view_of, as_lines):
    entries = [{"question": "a", "raw": RAW, "frame": "relative"}, {"question": "b", "raw": RAW, "frame": [40, 40]}]
    path = tmp_path / "script.json"
    path.write_text("\n".join(map(json.dumps, entries)) if as_lines else json.dumps(entries), encoding="utf-8")
    a, b = ScriptedPrompter(path).answer([view_of(200, 100)] * 2, ["a", "b"])
    assert a.instances[0].box == pytest.approx((2, 2, 6, 4))
    assert b.instances[0].box == pytest.approx((50, 50, 150, 100))


def test_an_entry_for_one_image_answers_for_it_alone(tmp_path, view_of):
    mine, other = view_of(50, 50, seed=1), view_of(50, 50, seed=2)
    path = tmp_path / "script.json"
    entries = [
        {"question": "q", "raw": "<answer>[]</answer>"},
        {"question": "q", "raw": RAW, "image": mine.digest()[:12]},
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    answers = ScriptedPrompter(path).answer([mine, other], ["q", "q"])
    assert [a.status for a in answers] == ["found", "empty"]


def test_an_unknown_question_is_told_the_nearest_ones(view_of):
    with pytest.raises(T2SError) as caught:
        ScriptedPrompter({"Where are the ships?": RAW}).answer([view_of(5, 5)], ["Where are ships?"])
    assert caught.value.code == "argument_invalid"
    assert "Where are the ships?" in caught.value.fix


@pytest.mark.parametrize(
    "text",
    ["{", '[{"question": 1, "raw": ""}]', '[{"question": "q", "raw": "", "frame": "metres"}]', '["q"]', "\ufffe\x00"],
)
def test_a_damaged_script_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "script.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(T2SError) as caught:
        ScriptedPrompter(path)
    assert caught.value.code == "argument_invalid"
    assert "script.json" in caught.value.what


def test_a_missing_script_is_refused():
    with pytest.raises(T2SError, match="argument_invalid"):
        ScriptedPrompter("nowhere.json")


def test_the_digest_follows_the_answers():
    assert ScriptedPrompter({"q": "a"}).digest != ScriptedPrompter({"q": "b"}).digest


def test_a_star_answers_what_no_other_entry_does(view_of):
    prompter = ScriptedPrompter({"*": "<answer>[]</answer>", "tanks": RAW})
    answers = prompter.answer([view_of(80, 60)] * 2, ["tanks", "anything at all"])
    assert [a.status for a in answers] == ["found", "empty"]
