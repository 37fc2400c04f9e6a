"""Questions: one text, or a file of many."""

import pytest

from t2s_agent.batch.questions import Question, read_questions
from t2s_agent.errors import T2SError


def test_a_text_is_one_question():
    assert read_questions("  Where are\nthe tanks? ") == [Question("q1", "Where are the tanks?")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.csv", 'id,question\nt,Where are the tanks?\ns,"Ships, moored or not?"\n'),
        ("q.csv", '\ufeffquestion,id,note\r\nWhere are the tanks?,t,\r\n"Ships, moored or not?",s,x\r\n'),
        (
            "q.jsonl",
            '{"id": "t", "question": "Where are the tanks?"}\n\n{"id": "s", "question": "Ships, moored or not?"}',
        ),
    ],
)
def test_a_file_has_an_id_and_a_question_in_each_line(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert read_questions(str(tmp_path / name)) == [
        Question("t", "Where are the tanks?"),
        Question("s", "Ships, moored or not?"),
    ]


def test_without_an_id_the_line_is_the_id_and_a_scene_may_be_named(tmp_path):
    (tmp_path / "q.csv").write_text("question,scene\nWhere?,deeper/c.tif\n", encoding="utf-8")
    assert read_questions(str(tmp_path / "q.csv")) == [Question("q2", "Where?", "deeper/c.tif")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no questions"),
        ("id,question\n", "no questions"),
        ("id,text\na,b\n", "no question"),
        ("id,question\na,b\na,c\n", "two questions with the id"),
        ("id,question\na,where  is it\nb,where is it\n", "ask the same"),
        ('id,question\na,"b\n', "not CSV"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, what):
    (tmp_path / "q.csv").write_text(text, encoding="utf-8")
    with pytest.raises(T2SError, match=what) as error:
        read_questions(str(tmp_path / "q.csv"))
    assert error.value.code == "argument_invalid"


def test_a_file_that_is_missing_is_not_taken_for_a_question(tmp_path):
    with pytest.raises(T2SError, match="No such file"):
        read_questions(str(tmp_path / "none.csv"))
