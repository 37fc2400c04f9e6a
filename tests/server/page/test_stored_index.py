"""The index of many regions is made once, and kept in a file that fits the regions."""

import os

import numpy as np
import pytest

from t2s_agent.pipeline import segment
from t2s_agent.results.files import REGIONS
from t2s_agent.server.page import region_index
from t2s_agent.server.page.region_features import features_in
from t2s_agent.server.page.region_index import index_of, stored_index_of
from t2s_agent.server.page.stored_index import NAME, read_arrays

TANKS = "Where are the storage tanks?"


@pytest.fixture
def made(engine, monkeypatch):
    monkeypatch.setattr(region_index, "KEPT_FROM", 1)
    result = segment(engine, "harbour.tif", TANKS)
    return result, engine.store.folder / result.id


def refuse(*_):
    raise AssertionError("it was made again")


def test_what_is_kept_is_the_index(made, monkeypatch):
    result, folder = made
    first = stored_index_of(result, folder)
    monkeypatch.setattr(region_index, "index_of", refuse)
    kept = stored_index_of(result, folder)
    everywhere = (0, 0, 640, 640)
    assert features_in(kept, everywhere, 1) == features_in(first, everywhere, 1)
    assert [kept.row(i) for i in range(len(kept))] == [first.row(i) for i in range(len(first))]
    assert kept.known == first.known
    assert kept.ordered("area", down=True).tolist() == first.ordered("area", down=True).tolist()
    assert [each.equals(other) for each, other in zip(kept.outlines([0, 3]), first.outlines([0, 3]), strict=True)]


def test_seams_and_labels_are_kept(made):
    result, folder = made
    path = folder / REGIONS
    path.write_text(path.read_text().replace('"label":"tank"', '"label":"tànk","seams":"cut,weak_match"', 1))
    rows = [stored_index_of(result, folder).row(i) for _ in range(2) for i in range(2)]
    assert rows[:2] == rows[2:]
    assert rows[0]["label"] == "tànk"
    assert len(rows[0]["seams"]) == 2
    assert rows[1]["seams"] == []


def test_it_is_made_again_for_another_file_of_regions(made):
    result, folder = made
    stored_index_of(result, folder)
    assert read_arrays(folder)
    status = (folder / REGIONS).stat()
    os.utime(folder / REGIONS, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert read_arrays(folder) is None
    stored_index_of(result, folder)
    assert read_arrays(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x04pickle"])
def test_a_file_that_is_not_whole_counts_as_none(made, content):
    result, folder = made
    stored_index_of(result, folder)
    (folder / NAME).write_bytes((folder / NAME).read_bytes()[:200] if content == b"" else content)
    assert read_arrays(folder) is None
    assert np.array_equal(stored_index_of(result, folder).ids, index_of(result, folder).ids)


def test_the_age_of_the_result_and_its_files_stay(made, engine, tmp_path):
    result, folder = made
    before = folder.stat().st_mtime_ns
    stored_index_of(result, folder)
    assert folder.stat().st_mtime_ns == before
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == [NAME]
    from t2s_agent.cli.files import copied

    copied(result, folder, tmp_path / "out")
    assert not (tmp_path / "out" / NAME).exists()
    assert engine.store.load(result.id).id == result.id


def test_a_store_that_cannot_be_written_still_shows_its_regions(made, monkeypatch):
    result, folder = made

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert len(stored_index_of(result, folder)) == 7
    assert not [each for each in folder.iterdir() if each.name.startswith(".")]


def test_few_regions_are_not_kept(engine):
    result = segment(engine, "harbour.tif", TANKS)
    stored_index_of(result, engine.store.folder / result.id)
    assert read_arrays(engine.store.folder / result.id) is None
