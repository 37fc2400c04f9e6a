"""The notebooks of docs/notebooks run from the first to the last cell with the models of the package."""

import os
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))
# what a reader should see of each, so that a notebook that runs and shows nothing does not pass
SEEN = {
    "chained_questions": ("refine other within_m", "Source(result="),
    "correct_and_measure": ("within", "total_area_m2"),
    "first_question": ("EPSG:32631", "tanks.gpkg"),
    "your_own_model": ("red-things", "676.4"),
}


def test_there_are_four():
    assert [path.stem for path in NOTEBOOKS] == sorted(SEEN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_small_and_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code if cell.outputs or cell.execution_count] == []
    assert path.stat().st_size < 20_000


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch, record_property):
    for name in [name for name in os.environ if name.startswith("T2S_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("T2S_STORE", str(tmp_path / "store"))
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}})
    began = time.perf_counter()
    client.execute()
    record_property("seconds", time.perf_counter() - began)
    outputs = str([cell.get("outputs", []) for cell in notebook.cells])
    assert all(words in outputs for words in SEEN[path.stem]), outputs[:2_000]
