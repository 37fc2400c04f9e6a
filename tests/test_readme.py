"""What the README shows works as it stands there."""

import json
import re
from importlib.resources import files
from pathlib import Path
from shutil import copyfile

README = Path(__file__).parents[1] / "README.md"


def test_the_python_example_runs_as_written(tmp_path, monkeypatch, capsys):
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    copyfile(str(files("t2s_agent.nano") / "demo" / "harbour.tif"), tmp_path / "harbour.tif")
    answer = '<answer>```json[{"bbox_2d": [64, 414, 116, 466]}]```</answer>'
    (tmp_path / "script.json").write_text(json.dumps([{"question": "*", "raw": answer}]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2S_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("T2S_PROMPTER", "scripted:script.json")
    monkeypatch.setenv("T2S_SEGMENTER", "box")
    exec(compile(example, "README.md", "exec"), {})
    id_, area, *_ = capsys.readouterr().out.split()
    assert (id_, float(area)) == ("1", 676.4)  # 52 x 52 px of 0.5 m, on the ellipsoid
