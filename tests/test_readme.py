"""What the README shows works as it stands there."""

import json
import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path
from shutil import copyfile

import pytest

from t2s_agent.cli import main

README = Path(__file__).parents[1] / "README.md"


def test_the_python_example_runs_as_written(tmp_path, monkeypatch, capsys):
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "demo-out").mkdir()
    copyfile(str(files("t2s_agent.nano") / "demo" / "harbour.tif"), tmp_path / "demo-out" / "harbour.tif")
    answer = '<answer>```json[{"bbox_2d": [64, 414, 116, 466]}]```</answer>'
    (tmp_path / "script.json").write_text(json.dumps([{"question": "*", "raw": answer}]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2S_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("T2S_PROMPTER", "scripted:script.json")
    monkeypatch.setenv("T2S_SEGMENTER", "box")
    exec(compile(example, "README.md", "exec"), {})
    id_, area, *_ = capsys.readouterr().out.split()
    assert (id_, float(area)) == ("1", 676.4)  # 52 x 52 px of 0.5 m, on the ellipsoid
    assert len(json.loads((tmp_path / "largest.geojson").read_text(encoding="utf-8"))["features"]) == 1


def commands():
    """The lines of the README's "Use it": words of a command, and the id that its remark says it prints."""
    text = README.read_text(encoding="utf-8")
    [block] = re.findall(r"## Use it\n\n```\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines():
        command, _, remark = line.partition("   # ")
        yield shlex.split(command, comments=True), "".join(re.findall(r"r_[0-9a-f]+", remark))


@pytest.mark.slow
def test_the_commands_work_in_order_in_one_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2S_STORE", str(tmp_path / "store"))
    for name in ("T2S_PROMPTER", "T2S_SEGMENTER", "T2S_CONFIG", "T2S_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    printed = {}  # ids of the README to those of this run
    for words, id_ in commands():
        argv = [printed.get(word, word) for word in words]
        assert argv[0] == "t2s-agent"
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert not end.value.code, (argv, err)
        if id_:
            [printed[id_]] = re.findall(r"^(r_[0-9a-f]+), by", out, re.MULTILINE)
    assert len(printed) == 2
    assert json.loads((tmp_path / "ships.geojson").read_text(encoding="utf-8"))["features"]
