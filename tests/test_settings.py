"""Settings: flags over variables over a file over defaults."""

from pathlib import Path

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.settings import load_settings


@pytest.fixture(autouse=True)
def _clean_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("T2S_CONFIG", raising=False)


def test_the_default_models_are_nano():
    settings = load_settings()
    assert (settings.prompter, settings.segmenter) == ("nano", "nano")


def test_a_flag_beats_a_variable_beats_the_file(tmp_path, monkeypatch):
    (tmp_path / "t2s.toml").write_text('prompter = "file"\nsegmenter = "file"\ndevice = "file"\n', encoding="utf-8")
    monkeypatch.setenv("T2S_PROMPTER", "variable")
    monkeypatch.setenv("T2S_SEGMENTER", "variable")
    settings = load_settings(prompter="flag")
    assert (settings.prompter, settings.segmenter, settings.device) == ("flag", "variable", "file")


def test_a_flag_that_was_not_given_changes_nothing():
    assert load_settings(prompter=None).prompter == "nano"


def test_roots_come_as_json_from_the_environment(monkeypatch):
    monkeypatch.setenv("T2S_ROOTS", '["/imagery", "/more"]')
    assert load_settings().roots == (Path("/imagery"), Path("/more"))


@pytest.mark.parametrize(
    ("flags", "name"),
    [({"max_size": 3}, "max_size"), ({"prompted": "nano"}, "prompted"), ({"seed": "one"}, "seed")],
)
def test_an_invalid_setting_is_named(flags, name):
    with pytest.raises(T2SError) as caught:
        load_settings(**flags)
    assert caught.value.code == "argument_invalid"
    assert name in caught.value.what


def test_a_missing_config_file_raises_an_error(monkeypatch):
    monkeypatch.setenv("T2S_CONFIG", "nowhere.toml")
    with pytest.raises(T2SError, match="T2S_CONFIG"):
        load_settings()


def test_a_file_that_is_not_toml_raises_an_error(tmp_path, monkeypatch):
    file = tmp_path / "broken.toml"
    file.write_text("prompter = \n", encoding="utf-8")
    monkeypatch.setenv("T2S_CONFIG", str(file))
    with pytest.raises(T2SError, match="not TOML") as caught:
        load_settings()
    assert caught.value.code == "argument_invalid"
