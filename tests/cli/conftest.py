"""A folder with the demo scene and a script of answers, and the program run in this process."""

import contextlib
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import pytest

from evals.scenes import demo, write
from t2s_agent.cli import main


def said(boxes, thinking="Round."):
    return f"<think>{thinking}</think><answer>```json{json.dumps(boxes)}```</answer>"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the demo scene and a script of answers."""
    folder = tmp_path_factory.mktemp("cli")
    write(demo(), folder / "harbour.tif")
    tank, other = {"bbox_2d": [64, 414, 116, 466]}, {"bbox_2d": [140, 414, 192, 466]}
    marked = {"bbox_2d": [64, 414, 116, 466], "label": "[red]tank[/red] :boat: \x1b[2J"}
    script = [
        {"question": "tanks", "raw": said([tank, other])},
        {"question": "one tank", "raw": said([tank])},
        {"question": "marked", "raw": said([marked], "[bold]Round[/bold]")},
        {"question": "helicopters", "raw": said([])},
        {"question": "odd", "raw": "?"},
    ]
    (folder / "script.json").write_text(json.dumps(script), encoding="utf-8")
    return folder


@pytest.fixture
def t2s(place, tmp_path):
    """Runs the program's own entry in this process, in the folder `place`, with scripted answers and a store of this test."""
    variables = {
        "T2S_STORE": str(tmp_path / "store"),
        "T2S_PROMPTER": "scripted:script.json",
        "T2S_SEGMENTER": "box",
        "NO_COLOR": "1",
    }

    def run(*words, **more):
        out, err = io.StringIO(), io.StringIO()
        argv = ["t2s-agent", *map(str, words)]
        with (
            contextlib.chdir(place),
            mock.patch.object(sys, "argv", argv),
            mock.patch.dict("os.environ", variables | more),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
        return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def made(t2s):
    """Runs the program and gives the record that it prints."""

    def run(*words, **more):
        done = t2s(*words, "--json", **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
