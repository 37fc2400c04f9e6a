"""The table of model families, and a person's own entries."""

from pathlib import Path
from typing import get_args

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.prompting.families import FRAME_NAMES, load_frames
from t2s_agent.prompting.frames import COORDINATES
from t2s_agent.settings import Settings


@pytest.mark.parametrize(
    ("model", "frame"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "absolute"),
        ("qwen2.5vl:7b", "absolute"),
        ("qwen3-vl:8b-thinking", "relative"),
        ("moonshotai/Kimi-VL-A3B-Thinking", "unit"),
        ("gemini-2.5-flash", "relative_yx"),
        ("GLM-4.5V", "relative"),
        ("RicardoString/Think2Seg-RS-3B", "square"),
        ("deepseek-ai/deepseek-vl2", "relative_999"),
        ("google/paligemma2-3b", "bins_1024_yx"),
        ("gpt-4o", "absolute"),
    ],
)
def test_names_find_their_family(model, frame):
    assert load_frames().of(model).frame == frame


def test_an_unknown_name_has_none():
    assert load_frames().of("my-own-model") is None


def test_ones_own_file_is_read_first(tmp_path):
    own = tmp_path / "frames.toml"
    own.write_text('[[family]]\nname = "mine"\nmatch = ["*QWEN3*"]\nframe = "unit"\nbox = "xywh"\n', encoding="utf-8")
    frames = load_frames(own)
    assert (frames.of("qwen3-vl").name, frames.of("gpt-4o").frame) == ("mine", "absolute")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[family]\n", "cannot be read"),
        ('[[family]]\nname = "x"\nmatch = ["*"]\nframe = "metres"\n', "frame"),
        ('[[family]]\nname = "x"\nframe = "unit"\n', "match"),
        ('[[familly]]\nname = "x"\n', "something other than"),
        ('[[family]]\nname = "x"\nmatch = ["*"]\nframe = "unit"\nodd = 1\n', "odd"),
    ],
)
def test_a_wrong_file_says_where(tmp_path, text, named):
    own = tmp_path / "own.toml"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(T2SError, match=named) as caught:
        load_frames(own)
    assert caught.value.code == "argument_invalid"
    assert "own.toml" in caught.value.what


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(T2SError, match=r"gone\.toml"):
        load_frames(tmp_path / "gone.toml")


def test_the_names_of_frames_are_the_same_everywhere():
    stated = get_args(Settings.model_fields["endpoint_frame"].annotation)
    assert stated == ("auto", *FRAME_NAMES)
    assert set(FRAME_NAMES) == {"absolute", "square", *COORDINATES}


def test_the_page_shows_the_table_as_it_is():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "served-models.md").read_text(encoding="utf-8")
    for family in load_frames().families:
        assert f"| {family.name} | {family.form} | `{family.frame}` | {family.known} | {family.source} |" in page
