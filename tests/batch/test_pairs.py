"""Two dates of many places: which scenes are pairs, and one row a pair with what changed."""

import json
from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
from archive.data import TANKS, said, write_scene

from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.pairs import find_pairs
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, segment
from t2s_agent.settings import load_settings


@pytest.fixture
def dates(tmp_path):
    """The folders `old` and `new`, each with `a.tif` and `b.tif`; each date has one more scene of its own."""
    for when, extra, west in (("old", "gone.tif", 700_000), ("new", "fresh.tif", 800_000)):
        write_scene(tmp_path / when / "a.tif")
        write_scene(tmp_path / when / "b.tif", west=600_000)
        write_scene(tmp_path / when / extra, west=west)
    return tmp_path / "old", tmp_path / "new"


@pytest.fixture
def pairs(dates):
    return find_pairs([str(folder) for folder in dates]).scenes


@pytest.fixture
def comparing(job, dates, tmp_path):
    """A job to which the new scenes show one tank less and one more."""
    for path in dates[1].glob("*.tif"):
        with rasterio.open(path, "r+") as file:
            file.write(np.full((3, 32, 32), 90, np.uint8))
    with Engine.open(load_settings(store=tmp_path / "store")).scene(dates[1] / "a.tif") as scene:
        digest = scene.view(max_size=1024).digest()
    script = [
        {"question": TANKS, "raw": said([8, 8, 16, 16], [20, 20, 24, 28])},
        {"question": TANKS, "raw": said([8, 8, 16, 16], [2, 20, 10, 30]), "image": digest},
    ]
    (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
    return replace(job, pairs=True)


def test_scenes_of_one_name_in_two_folders_are_a_pair(dates):
    found = find_pairs([str(folder) for folder in dates])
    assert [(pair.name, pair.image, pair.after.image) for pair in found.scenes] == [
        (name, str(dates[0] / name), str(dates[1] / name)) for name in ("a.tif", "b.tif")
    ]
    assert found.alone == 2


def test_a_list_names_pairs_by_paths_from_its_folder(dates, tmp_path):
    (tmp_path / "pairs.csv").write_text("before,after,id\nold/a.tif,new/b.tif,first\nold/b.tif,new/b.tif,\n")
    lines = [{"before": "https://a.example/x.tif?sig=1", "after": "new/a.tif"}]
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = find_pairs([str(tmp_path / "pairs.csv"), str(tmp_path / "more.jsonl")]).scenes
    assert [pair.name for pair in found] == [
        "first", "old/b.tif > new/b.tif", "https://a.example/x.tif > new/a.tif",
    ]  # fmt: skip
    assert found[0].after.image == str(dates[1] / "b.tif")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("before,after\n", "no pairs"),
        ("before,later\na.tif,b.tif\n", "line 2 .* does not name two images"),
        ("before,after,id\na.tif,b.tif,x\na.tif,c.tif,x\n", "two pairs have the id 'x'"),
        ('before,after\n"a', "not CSV"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(T2SError, match=message):
        find_pairs([str(tmp_path / "pairs.csv")])


def test_one_folder_three_folders_and_folders_without_a_common_name_are_no_pairs(dates, tmp_path):
    for given in ([dates[0]], [*dates, dates[0]]):
        with pytest.raises(T2SError, match="--pair takes"):
            find_pairs(list(map(str, given)))
    (tmp_path / "pairs.csv").write_text("before,after\n")
    with pytest.raises(T2SError, match="--pair takes"):  # a list and a folder
        find_pairs([str(tmp_path / "pairs.csv"), str(dates[0])])
    write_scene(tmp_path / "other" / "z.tif")
    with pytest.raises(T2SError, match=r"same name in both, such as a\.tif, z\.tif"):
        find_pairs([str(dates[0]), str(tmp_path / "other")])


def test_a_row_a_pair_says_what_appeared_and_what_went(run, comparing, pairs):
    done = run(job=comparing, scenes=pairs)
    assert (done.rows, done.summary.by_status, done.summary.pairs) == (2, {"found": 2}, 2)
    line = next(line for line in Ledger(comparing.out).lines.values() if line.scene == "a.tif")
    change = line.change
    assert (change.appeared, change.gone, change.changed, change.same) == (1, 1, 0, 1)
    assert (change.appeared_area, change.gone_area) == pytest.approx((80, 32), rel=2e-3)
    assert change.difference == pytest.approx(48, rel=2e-3)
    table = geopandas.read_parquet(comparing.out / "changes")
    assert sorted(table[table["row_id"] == line.id]["change"]) == ["appeared", "gone", "same"]
    assert set(table["result_before"]) | set(table["result_after"]) == {
        result for each in Ledger(comparing.out).lines.values() for result in (each.result, each.result_after)
    }
    assert not (comparing.out / "parts").exists()
    (total,) = done.summary.changes
    assert (total.rows, total.appeared, total.same, done.summary.totals) == (2, 2, 2, [])


def test_it_is_resumed_and_a_result_of_a_killed_run_is_used(run, comparing, pairs, tmp_path):
    store = load_settings(
        prompter=f"scripted:{tmp_path / 'script.json'}", segmenter="box", store=comparing.out / "results"
    )
    options = {name: value for name, value in comparing.options().items() if name != "bands"}
    first = segment(Engine.open(store), pairs[0].image, TANKS, **options)
    run(job=comparing, scenes=pairs)
    assert {line.scene: line.result for line in Ledger(comparing.out).lines.values()}["a.tif"] == first.id
    assert len(list((comparing.out / "results").glob("r_*"))) == 4
    assert run(job=comparing, scenes=pairs, pool=lambda _: pytest.fail("workers were started")).done == 0


def test_a_pair_that_fails_says_of_which_date(run, comparing, pairs, dates):
    (dates[1] / "b.tif").write_bytes(b"II*\0broken")
    done = run(job=comparing, scenes=pairs)
    assert done.summary.failed_by_code == {"image_unreadable": 1}
    line = next(line for line in Ledger(comparing.out).lines.values() if line.status == "failed")
    assert line.message.startswith("the later image: b.tif")


def test_a_pair_that_is_partly_done_is_finished_and_a_date_that_is_whole_is_not_asked_again(run, job, tmp_path):
    write_scene(tmp_path / "old" / "a.tif", side=100)
    write_scene(tmp_path / "new" / "a.tif", side=32)
    small = job.settings.model_copy(update={"max_size": 40})
    limited = replace(job, settings=small, pairs=True, max_windows=2)
    scenes = find_pairs([str(tmp_path / "old"), str(tmp_path / "new")]).scenes
    assert run(job=limited, scenes=scenes).summary.by_status == {"partly": 1}
    (before,) = Ledger(job.out).lines.values()
    assert before.windows_left == 7
    done = run(job=replace(limited, max_windows=100), scenes=scenes, finish_partly=True)
    assert done.summary.by_status == {"found": 1}
    (after,) = Ledger(job.out).lines.values()
    assert after.result_after == before.result_after
    assert after.result != before.result
    assert len(geopandas.read_parquet(job.out / "changes")) == after.regions


def test_pairs_and_scenes_are_not_mixed_in_one_folder(run, comparing, pairs):
    run(job=comparing, scenes=pairs)
    with pytest.raises(T2SError, match="begun with pairs True"):
        run(job=replace(comparing, pairs=False), scenes=pairs)
