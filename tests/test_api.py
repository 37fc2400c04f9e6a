"""The public names: loaded when they are used, the same options as the command line, and examples that run."""

import ast
import doctest
import inspect
import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from shutil import copyfile

import pytest
import typer

import t2s_agent
from t2s_agent import errors
from t2s_agent.api import engine, functions, result
from t2s_agent.cli.app import app
from t2s_agent.errors import T2SError
from t2s_agent.regions import region
from t2s_agent.scene import scene

EXAMPLES = {
    example.name: example
    for module in (t2s_agent, engine, functions, result, errors, region, scene)
    for example in doctest.DocTestFinder().find(module)
    if example.examples
}
# of the command line only; and what has another name in Python, where `with` is a keyword
SHOWN = {"out", "as_json", "verbose"}
RENAMED = {"query": "question", "other": "with_"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as `t2s-agent demo` leaves it."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "demo-out").mkdir()
    copyfile(str(files("t2s_agent.nano") / "demo" / "harbour.tif"), folder / "demo-out" / "harbour.tif")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_docstrings_run_with_nano(name, place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("T2S_STORE", str(place / "store"))
    for variable in ("T2S_PROMPTER", "T2S_SEGMENTER", "T2S_CONFIG", "T2S_ROOTS"):
        monkeypatch.delenv(variable, raising=False)
    said = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(EXAMPLES[name], out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", [name for name in t2s_agent.__all__ if name != "__version__"])
def test_every_public_name_has_an_example(name):
    value = getattr(t2s_agent, name)
    assert f"{value.__module__}.{value.__qualname__}" in EXAMPLES


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "numpy", "rasterio", "shapely", "pydantic", "PIL")
    code = f"import t2s_agent, sys; dir(t2s_agent); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_functions_import_no_torch_before_a_model_is_needed():
    code = "import t2s_agent, sys; [getattr(t2s_agent, n) for n in t2s_agent.__all__]; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", t2s_agent.__all__)
def test_each_public_name_is_there_listed_and_documented(name):
    assert name in dir(t2s_agent)
    value = getattr(t2s_agent, name)
    assert value == version("t2s-agent") if name == "__version__" else value.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        t2s_agent.segmnt  # noqa: B018 (asking for it is the test)


def test_type_checkers_see_each_public_name_from_the_module_it_is_loaded_from():
    tree = ast.parse(Path(t2s_agent.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == t2s_agent._MODULES
    assert {*seen, "__version__"} == set(t2s_agent.__all__)


@pytest.mark.parametrize("name", ["segment", "refine", "describe"])
def test_a_function_has_the_options_of_its_command(name):
    command = typer.main.get_group(app).commands[name]
    options = {RENAMED.get(each.name, each.name) for each in command.params if each.name != "help"} - SHOWN
    parameters = set(inspect.signature(getattr(t2s_agent, name)).parameters)
    assert options == parameters - {"engine", "progress"}


def test_a_function_without_an_engine_uses_one_of_the_users_settings_and_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("T2S_STORE", str(tmp_path / "a"))
    first, again = engine.engine_for(None), engine.engine_for(None)
    assert first is again
    assert first.settings.store == tmp_path / "a"
    assert engine.engine_for(None, max_size=512).settings.max_size == 512


def test_an_engine_together_with_its_options_is_refused(tmp_path):
    own = t2s_agent.Engine.open(store=tmp_path)
    with pytest.raises(T2SError, match="engine and max_size are both given") as caught:
        t2s_agent.segment("a.tif", "ships", engine=own, max_size=512)
    assert caught.value.code == "argument_invalid"


@pytest.mark.parametrize("point", [(4.3, 51.9), "4.3,51.9", [(4.3, 51.9, 0)]])
def test_points_that_are_not_a_list_of_pairs_are_refused(point, tmp_path):
    own = t2s_agent.Engine.open(store=tmp_path)
    with pytest.raises(T2SError, match="is not a list of points"):
        t2s_agent.refine("r_00000000", point=point, engine=own)


def test_a_misspelt_image_is_answered_with_near_names(place, tmp_path):
    with pytest.raises(T2SError, match=r"Did you mean 'harbour.tif'") as caught:
        t2s_agent.segment(place / "demo-out" / "harbor.tif", "ships", store=tmp_path)
    assert caught.value.code == "image_not_found"
