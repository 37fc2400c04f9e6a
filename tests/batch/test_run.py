"""A whole archive: what is done once, what is done again, and what is left after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import geopandas
import pytest
from archive.data import SHIPS, TANKS, write_archive, write_scene

from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.questions import Question
from t2s_agent.batch.scenes import SceneRef, find_scenes
from t2s_agent.errors import T2SError

BOTH = (Question("tanks", TANKS), Question("ships", SHIPS))


def rows_in_parts(out):
    """(row_id, id) of each region in the parts."""
    table = geopandas.read_parquet(out / "parts")
    return sorted(zip(table["row_id"], table["id"], strict=True))


def test_every_question_about_every_scene_has_a_line_and_its_regions_are_one_table(run, job):
    done = run(*BOTH)
    assert (done.rows, done.done, done.before) == (6, 6, 0)
    assert done.summary.by_status == {"empty": 3, "found": 3}
    table = geopandas.read_parquet(job.out / "parts")
    assert sorted(table["scene"].unique()) == ["a.tif", "b.tif", "deeper/c.tif"]
    assert table.crs.to_epsg() == 4326
    assert sorted(table["area_m2"].round()) == [32.0] * 3 + [64.0] * 3
    assert set(table["question_id"]) == {"tanks"}


def test_a_second_run_does_nothing(run, job):
    run()
    before = {path: path.stat().st_mtime_ns for path in job.out.rglob("[!.]*") if path.is_file()}
    done = run(pool=lambda _: pytest.fail("workers were started"))
    assert (done.done, done.before) == (0, 3)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_new_scene_is_done_and_the_others_are_not(run, job, scenes):
    run()
    write_scene(scenes / "d.tif")
    done = run()
    assert (done.done, done.before) == (1, 3)
    assert len(rows_in_parts(job.out)) == 8


def test_a_broken_scene_is_recorded_by_its_code_and_the_others_go_on(run, job, scenes):
    (scenes / "b.tif").write_bytes(b"II*\0broken")
    done = run()
    assert done.summary.by_status == {"failed": 1, "found": 2}
    assert done.summary.failed_by_code == {"image_unreadable": 1}
    line = next(line for line in Ledger(job.out).lines.values() if line.status == "failed")
    assert line.scene == "b.tif"
    assert line.message


def test_a_scene_with_nothing_to_open_is_a_failed_row(run, job):
    scene = SceneRef("items/x/B04", "", problem="the item 'x' has no asset 'B04'")
    assert run(scenes=[scene]).summary.failed_by_code == {"image_not_found": 1}
    assert next(iter(Ledger(job.out).lines.values())).message == "the item 'x' has no asset 'B04'"


def test_what_failed_is_tried_again_on_request_only(run, job, scenes):
    good = (scenes / "b.tif").read_bytes()
    (scenes / "b.tif").write_bytes(b"x" * len(good))
    run()
    (scenes / "b.tif").write_bytes(good)
    assert run().done == 0
    again = run(retry_failed=True)
    assert (again.done, again.summary.by_status) == (1, {"found": 3})
    assert [line.attempt for line in Ledger(job.out).lines.values() if line.scene == "b.tif"] == [2]


def test_an_answer_that_cannot_be_read_is_a_failed_row(run):
    assert run(Question("odd", "odd")).summary.failed_by_code == {"answer_unparsable": 3}


def test_a_question_about_one_scene_is_asked_of_that_scene(run, job):
    done = run(Question("tanks", TANKS, scene="deeper/c.tif"))
    assert [line.scene for line in Ledger(job.out).lines.values()] == ["deeper/c.tif"]
    assert done.rows == 1
    with pytest.raises(T2SError, match="none of the scenes"):
        run(Question("tanks", TANKS, scene="c.tif"))


def test_a_part_without_its_lines_is_thrown_away_and_written_again(run, job):
    run()
    whole = rows_in_parts(job.out)
    ledger = job.out / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]) + lines[-1][:30])  # killed while it wrote the last line
    (job.out / "parts" / ".writing-0123").write_bytes(b"PAR1")
    done = run()
    assert done.repaired >= 2
    assert done.done >= 1
    assert rows_in_parts(job.out) == whole
    assert not list((job.out / "parts").glob(".writing-*"))


def test_a_part_that_was_deleted_is_made_again(run, job):
    run()
    for part in (job.out / "parts").glob("part-*.parquet"):
        part.unlink()
    assert run().done == 3
    assert len(rows_in_parts(job.out)) == 6


def test_a_folder_belongs_to_one_prompter_and_its_options(run, job):
    run()
    other = replace(job, settings=job.settings.model_copy(update={"prompter": "nano"}), min_area_m2=5.0)
    with pytest.raises(T2SError) as error:
        run(job=other)
    assert "prompter" in error.value.what
    assert "min_area_m2" in error.value.what


def test_without_a_prompter_the_run_stops_and_no_row_has_failed(run, job):
    other = replace(job, settings=job.settings.model_copy(update={"prompter": "no-such-model"}))
    with pytest.raises(T2SError) as error:
        run(job=other)
    assert error.value.code == "model_unavailable"
    assert Ledger(job.out).lines == {}


def test_scenes_without_a_place_have_a_folder_of_their_own_in_pixels(run, job, tmp_path):
    write_scene(tmp_path / "flat" / "x.tif", crs=None)
    run(scenes=find_scenes([str(tmp_path / "flat")]))
    assert rows_in_parts(job.out) == []
    table = geopandas.read_parquet(job.out / "parts_pixels")
    assert list(table["area_px2"]) == [64.0, 32.0]
    assert table.total_bounds.tolist() == [8.0, -28.0, 24.0, -8.0]


def test_a_large_scene_is_looked_at_in_windows(run, job, tmp_path):
    write_scene(tmp_path / "large" / "x.tif", side=100)
    small = job.settings.model_copy(update={"max_size": 40})
    run(job=replace(job, settings=small), scenes=find_scenes([str(tmp_path / "large")]))
    line = next(iter(Ledger(job.out).lines.values()))
    assert line.status in ("found", "partly")
    assert line.regions > 2  # the script answers alike for every window
    assert len(rows_in_parts(job.out)) == line.regions


def test_two_runs_do_not_write_to_one_folder(run, job):
    def second(_):
        with pytest.raises(T2SError, match="another run"):
            run()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pool=second)


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_there_twice(tmp_path):
    write_archive(tmp_path, 20, side=32)
    command = [sys.executable, "-c", "from t2s_agent.cli import main; main()", "batch", TANKS, "scenes", "--out", "out"]
    command += ["--prompter", "scripted:script.json", "--segmenter", "box", "--workers", "0"]
    ledger = tmp_path / "out" / "ledger.jsonl"
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not ledger.exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(Ledger(tmp_path / "out").lines) < 20
    done = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["by_status"] == {"found": 20}
    rows = rows_in_parts(tmp_path / "out")
    assert len(rows) == len(set(rows)) == 40
