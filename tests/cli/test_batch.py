"""`t2s-agent batch`: what it prints, and how it ends."""

import json

import pytest
from archive.data import TANKS, write_archive, write_scene

from t2s_agent.batch.schedule import Progress
from t2s_agent.cli.batch import progress_line


@pytest.fixture
def batch(t2s, tmp_path):
    """Runs `batch` over three scenes with what follows, in this process."""
    write_archive(tmp_path, 3, side=32)

    def run(*words, question=TANKS):
        own = ["--out", tmp_path / "out", "--workers", "0", "--prompter", f"scripted:{tmp_path / 'script.json'}"]
        return t2s("batch", question, tmp_path / "scenes", *own, *words)

    return run


def test_a_summary_is_printed_with_the_paths_of_parts_and_ledger(batch, tmp_path, t2s):
    done = batch()
    assert done.returncode == 0, done.stderr
    head, titles, total, *_ = done.stdout.splitlines()
    assert head == "3 rows of 3 scenes: 3 found"
    assert titles.split("  ")[0] == "question"
    assert total.split()[:3] == ["q1", "3", "6"]
    assert total.endswith(" m2")
    assert f"{tmp_path / 'out' / 'ledger.jsonl'}" in done.stdout
    assert "3 rows in this run" in done.stderr
    assert "0 rows in this run, 3 done before" in batch().stderr
    assert t2s("batch", "--summary", tmp_path / "out").stdout == done.stdout


@pytest.mark.parametrize(
    ("stretch", "why"),
    [("9:1", "not below"), ("r_0123456789", "is a result"), ("https://a.example/b.tif?sig=1", "query")],
)
def test_a_stretch_that_cannot_be_for_all_scenes_is_refused_before_work(batch, stretch, why):
    done = batch("--stretch", stretch)
    assert done.returncode == 2
    assert why in done.stderr


def test_the_stretch_belongs_to_the_folder(batch):
    assert batch("--stretch", "0:200").returncode == 0
    done = batch("--stretch", "0:100")
    assert done.returncode == 2
    assert "stretch '0:200', now '0:100'" in done.stderr


def test_the_summary_as_json(batch):
    summary = json.loads(batch("--json").stdout)
    assert (summary["rows"], summary["by_status"], summary["done"]) == (3, {"found": 3}, 3)


def test_failures_are_counted_by_code_and_the_command_ends_well(batch):
    done = batch(question="odd")
    assert done.returncode == 0
    assert "note: failed: 3 answer_unparsable; ledger.jsonl says why, --retry-failed tries again" in done.stdout
    assert "parts" not in done.stdout
    assert "regions" not in done.stdout


def test_a_mixed_archive_is_counted_by_unit_and_says_how_to_go_on(batch, tmp_path):
    write_scene(tmp_path / "scenes" / "flat.tif", crs=None)
    write_scene(tmp_path / "scenes" / "large.tif", side=100, west=600_000)
    (tmp_path / "scenes" / "broken.tif").write_bytes(b"II*\0broken")
    small = ("--max-size", "40", "--max-windows", "2")
    said = batch(*small).stdout
    assert said.startswith("6 rows of 6 scenes: 1 failed, 4 found, 1 partly\n")
    assert [line.split()[-1] for line in said.splitlines() if line.startswith("q1")] == ["19.2%", "px2"]
    assert "note: failed: 1 image_unreadable;" in said
    assert "note: partly: 1 row with windows that failed or were not reached; --finish-partly goes on" in said
    assert f"{tmp_path / 'out' / 'parts_pixels'}: 1 part of GeoParquet" in said
    done = batch("--max-size", "40", "--finish-partly")
    assert "1 row in this run, 5 done before" in done.stderr
    assert done.stdout.startswith("6 rows of 6 scenes: 1 failed, 5 found\n")


def test_a_box_selects_scenes(batch):
    assert "1 of 3 scenes" in batch("--bbox", "3.0005", "51.4", "3.0008", "51.5").stderr
    done = batch("--bbox", "170,-10,-170,10")
    assert "0 of 3 scenes" in done.stderr


def test_a_folder_without_a_ledger_has_no_summary(t2s, tmp_path):
    done = t2s("batch", "--summary", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("argument_invalid: ")


def test_the_line_of_progress_has_rate_and_time_left():
    assert (
        progress_line(Progress(120, 2000, 3, 8.4, 223.8)) == "120 of 2000 rows, 3 failed, 8.4 a second, 3 min 44 s left"
    )
    assert progress_line(Progress(0, 5, 0, 0.0, None)) == "0 of 5 rows, 0 a second"
    assert progress_line(Progress(1, 9, 0, 0.01, 8000)) == "1 of 9 rows, 0.6 a minute, 2 h 13 min left"


def test_two_dates_are_compared_pair_by_pair(t2s, tmp_path):
    for when in ("old", "new"):
        write_archive(tmp_path / when, 2, side=32)
    write_scene(tmp_path / "old" / "scenes" / "only.tif")
    own = ["--out", tmp_path / "out", "--workers", "0", "--prompter", f"scripted:{tmp_path / 'old' / 'script.json'}"]
    done = t2s("batch", TANKS, tmp_path / "old" / "scenes", tmp_path / "new" / "scenes", "--pair", *own)
    assert done.returncode == 0, done.stderr
    assert "1 scene of one date only, left out\n2 pairs\n" in done.stderr
    head, titles, total, *_ = done.stdout.splitlines()
    assert head == "2 rows of 2 pairs: 2 found"
    assert titles.split()[3:7] == ["appeared", "gone", "changed", "same"]
    assert total.split()[:6] == ["q1", "2", "0", "0", "0", "4"]
    assert f"{tmp_path / 'out' / 'changes'}: " in done.stdout
