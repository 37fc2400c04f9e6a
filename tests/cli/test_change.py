"""`t2s-agent change`: a table, GeoJSON, and what is refused before any work."""

import json

import geopandas
import pytest
from archive.data import SHIPS, TANKS, write_scene, write_script


@pytest.fixture
def change(t2s, tmp_path):
    """Compares a scene with itself, moved by 4 m to the east where `moved`."""
    write_script(tmp_path / "script.json")

    def run(*words, query=TANKS, moved=0):
        write_scene(tmp_path / "a.tif")
        write_scene(tmp_path / "b.tif", west=500_000.0 + moved)
        own = ["--prompter", f"scripted:{tmp_path / 'script.json'}"]
        return t2s("change", tmp_path / "a.tif", tmp_path / "b.tif", query, *own, *words)

    return run


def test_a_table_says_what_changed(change):
    done = change()
    assert done.returncode == 0, done.stderr
    assert "0 appeared, 0 gone, 0 changed, 2 same" in done.stdout
    assert done.stdout.count("\nsame ") == 2


def test_both_dates_are_shown_with_one_stretch(change, tmp_path, t2s):
    assert change("--stretch", "0:120").returncode == 0
    listed = json.loads(t2s("results", "--json").stdout)["results"][:2]
    shown = [json.loads(t2s("results", "show", each["id"], "--json").stdout)["scene"]["stretch"] for each in listed]
    assert [(each["named"], each["high"]) for each in shown] == [(True, [120.0] * 3)] * 2


def test_what_may_have_shifted_is_said(change):
    done = change(moved=5)
    assert "uncertain: " in done.stdout


def test_the_geojson_is_written_and_read_by_geopandas(change, tmp_path):
    assert change("--out", tmp_path / "new" / "c.geojson").returncode == 0
    table = geopandas.read_file(tmp_path / "new" / "c.geojson")
    assert list(table["change"]) == ["same", "same"]
    assert json.loads(change("--json").stdout)["summary"]["same_count"] == 2


def test_nothing_at_both_dates(change):
    assert "Nothing was found at either date" in change(query=SHIPS).stdout


def test_a_file_of_another_type_is_refused_before_any_work(change):
    done = change("--out", "c.shp")
    assert done.returncode == 2
    assert "ends in .geojson" in done.stderr


def test_a_stretch_that_shows_nothing_is_said_of_each_date(change):
    said = change("--stretch", "250:251").stdout
    assert said.count("which was named, shows almost only black") == 2
    assert "note: the earlier date: the stretch 250:251" in said
