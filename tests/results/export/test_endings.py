"""What cannot be written is said before any work: an unknown ending, a folder, a missing library, another file in the way."""

import sys

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.results.export import ENDINGS, check_ending
from t2s_agent.results.export import endings as module


def refused(path):
    with pytest.raises(T2SError) as caught:
        check_ending(path)
    return caught.value


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_may_be_written_in_either_case_into_a_folder_that_is_not_there_yet(tmp_path, ending):
    for name in (f"tanks{ending}", f"tanks{ending.upper()}"):
        assert check_ending(tmp_path / "new" / name) == tmp_path / "new" / name
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["tanks.xyz", "tanks", ".gpkg", "tanks.gpkg.zip"])
def test_an_unknown_ending_is_named_with_those_that_are_known(tmp_path, name):
    error = refused(tmp_path / name)
    assert error.code == "argument_invalid"
    assert ".gpkg" in error.fix


def test_a_library_that_is_missing_is_named_with_the_extra_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "pyogrio" else object())
    error = refused(tmp_path / "tanks.gpkg")
    assert "pyogrio" in error.what
    assert 'pip install "t2s-agent[geo]"' in error.fix
    assert check_ending(tmp_path / "tanks.parquet")  # needs other libraries
    assert check_ending(tmp_path / "tanks.geojson")  # needs none


def test_a_folder_and_a_file_in_place_of_a_folder_are_refused(tmp_path):
    (tmp_path / "a.gpkg").mkdir()
    assert refused(tmp_path / "a.gpkg").code == "argument_invalid"
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "a.csv").code == "output_unwritable"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_may_not_be_written_is_refused():
    assert refused("/proc/tanks.gpkg").code == "output_unwritable"


def test_a_shapefile_does_not_take_the_table_of_another_dataset(tmp_path):
    (tmp_path / "tanks.dbf").write_text("somebody's", encoding="utf-8")
    error = refused(tmp_path / "tanks.shp")
    assert error.code == "output_unwritable"
    assert "tanks.dbf" in error.what
    (tmp_path / "tanks.shp").touch()  # now it is that shapefile's own, which the user names
    assert check_ending(tmp_path / "tanks.shp")
