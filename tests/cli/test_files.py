"""`--out`: the endings of `Result.to_file`, checked before any work, and a folder for all files."""

import geopandas
import pytest
import rasterio

from t2s_agent.results.export import ENDINGS, endings


@pytest.mark.parametrize("ending", ENDINGS)
def test_segment_writes_the_file_type_that_the_name_ends_in(t2s, tmp_path, ending):
    out = tmp_path / "new" / f"Tanks{ending.upper() if ending == '.fgb' else ending}"
    done = t2s("segment", "harbour.tif", "tanks", "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"written to {out}" in done.stderr
    assert out.stat().st_size > 100


def test_refine_and_show_write_too(t2s, made, tmp_path):
    made("segment", "harbour.tif", "tanks")
    assert t2s("refine", "last", "--drop", "1", "--out", tmp_path / "one.fgb").returncode == 0
    assert len(geopandas.read_file(tmp_path / "one.fgb")) == 1
    done = t2s("results", "show", "last", "--out", tmp_path / "one.parquet")
    assert done.returncode == 0, done.stderr
    assert geopandas.read_parquet(tmp_path / "one.parquet")["id"].tolist() == [1]
    assert t2s("results", "show", "last", "--out", tmp_path / "mask.tif").returncode == 0
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert mask.read(1).max() == 1


def test_a_folder_takes_all_files_also_where_its_name_has_a_dot(t2s, tmp_path):
    (tmp_path / "v1.2").mkdir()
    for folder in ("plain", "v1.2"):
        assert t2s("segment", "harbour.tif", "tanks", "--out", tmp_path / folder).returncode == 0
        assert {"mask.tif", "regions.geojson", "preview.png", "record.json"} <= {
            file.name for file in (tmp_path / folder).iterdir()
        }


def refused(t2s, tmp_path, out, command=("segment", "harbour.tif", "tanks")):
    """What is said where a name is refused; nothing may have been done by then."""
    done = t2s(*command, "--out", out)
    assert done.returncode == 2
    assert "asking" not in done.stderr
    assert not (tmp_path / "store").exists()
    return done.stderr


@pytest.mark.parametrize("name", ["mask.tif", "folder"])
def test_what_is_replaced_is_said(t2s, made, tmp_path, name):
    made("segment", "harbour.tif", "tanks")
    first, again = (t2s("results", "show", "last", "--out", tmp_path / name).stderr for _ in range(2))
    assert "in place of" not in first
    assert "in place of" in again


def test_an_unknown_ending_is_named_before_any_work_with_those_there_are(t2s, tmp_path):
    said = refused(t2s, tmp_path, tmp_path / "a.gpgk")
    assert "a.gpgk" in said
    assert ".gpkg, .parquet, .fgb" in said


def test_a_folder_that_cannot_be_made_is_named_before_any_work(t2s, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "a.gpkg", tmp_path / "file" / "folder"):
        assert "output_unwritable" in refused(t2s, tmp_path, out)


def test_a_missing_library_is_named_before_any_work_with_the_extra(t2s, tmp_path, monkeypatch):
    monkeypatch.setattr(endings, "find_spec", lambda name: None)
    for command in (
        ("segment", "harbour.tif", "tanks"),
        ("refine", "last", "--drop", "1"),
        ("results", "show", "last"),
    ):
        said = refused(t2s, tmp_path, tmp_path / "a.gpkg", command)
        assert 'pip install "t2s-agent[geo]"' in said
    assert "geopandas" not in t2s("segment", "harbour.tif", "tanks", "--out", tmp_path / "a.csv").stderr
