"""The command line: what it prints, where, and how it exits."""

import contextlib
import io
import json
import resource
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import pytest

from t2s_agent.cli import main


def t2s(place, *words):
    """Runs the program's own entry in this process, which spares each call the import of torch."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["t2s-agent", *map(str, words)]
    with contextlib.chdir(place), mock.patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def segmented(place, query, *more):
    scripted = ("--prompter", "scripted:script.json", "--segmenter", "box", "--store", "store")
    return t2s(place, "segment", "harbour.tif", query, *scripted, *more)


def test_the_program_in_a_process_of_its_own(place):
    words = [
        "segment",
        "harbour.tif",
        "odd",
        "--prompter",
        "scripted:script.json",
        "--segmenter",
        "box",
        "--store",
        "own",
    ]
    command = [sys.executable, "-c", "from t2s_agent.cli import main; main()", *words]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("answer_unparsable: ")


def test_segment_prints_regions_and_writes_files(place):
    done = segmented(place, "tanks", "--out", "out")
    assert done.returncode == 0
    assert "2 regions" in done.stdout
    assert "asking" in done.stderr
    assert {f.name for f in (place / "out").iterdir()} == {"record.json", "mask.tif", "regions.geojson", "preview.png"}


def test_json_is_one_document_on_standard_output(place):
    record = json.loads(segmented(place, "tanks", "--json", "--out", "tanks.geojson").stdout)
    assert len(record["regions"]) == 2
    assert json.loads((place / "tanks.geojson").read_text(encoding="utf-8"))["type"] == "FeatureCollection"


def test_results_are_refined_described_replayed_and_listed(place):
    first = json.loads(segmented(place, "tanks", "--json").stdout)["id"]
    common = ("--store", "store", "--json")
    second = json.loads(t2s(place, "refine", first, "--drop", 1, "--segmenter", "box", *common).stdout)
    assert (second["parents"], len(second["regions"])) == ([first], 1)
    assert json.loads(t2s(place, "describe", first, *common).stdout)["measured"]["count"] == 2
    assert json.loads(t2s(place, "describe", "harbour.tif", *common).stdout)["measured"]["width_px"] == 640
    assert json.loads(t2s(place, "replay", first, *common).stdout)["first_difference"] is None
    assert second["id"] in [r["id"] for r in json.loads(t2s(place, "results", *common).stdout)["results"]]


def test_no_target_exits_zero_bad_input_two_and_a_failed_model_three(place):
    assert segmented(place, "helicopters").returncode == 0
    assert "Nothing found" in segmented(place, "helicopters").stdout
    missing = t2s(place, "segment", "absent.tif", "tanks", "--store", "store")
    assert missing.returncode == 2
    assert missing.stderr.splitlines()[-1].startswith("image_not_found:")
    assert segmented(place, "odd").returncode == 3
    assert segmented(place, "tanks", "--bbox", 5, 52, 4, 51).returncode == 2
    assert t2s(place, "refine", "r_00000000abcd", "--drop", 1, "--store", "store").returncode == 2


def test_importing_is_quick_and_loads_no_torch(place):
    code = "import time; t = time.perf_counter(); import t2s_agent; s = time.perf_counter() - t; import sys; print(s, 'torch' in sys.modules)"
    seconds, torch = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert float(seconds) < 0.3
    assert torch == "False"


def test_help_needs_neither_torch_nor_gdal_and_comes_at_once(place):
    code = "import sys; sys.argv = ['t2s-agent', '--help']\ntry:\n from t2s_agent.cli import main; main()\nfinally:\n print({'torch', 'rasterio', 'pyproj', 'numpy'} & set(sys.modules))"
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    assert "segment" in done.stdout
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began < 1.5  # of the processor: others may be busy


def test_an_output_of_an_unknown_kind_is_refused_before_the_work(place):
    done = segmented(place, "tanks", "--out", "tanks.doc")
    assert (done.returncode, done.stdout) == (2, "")
    assert "geojson" in done.stderr
    assert not (place / "tanks.shp").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--style", "foo"), "argument_invalid"),
        (("--samples", "0"), "argument_invalid"),
        (("--min-area-m2", "nan"), "argument_invalid"),
        (("--bands", "7,8,9"), "bands_unknown"),
        (("--bbox", "51.9090", "4.3380", "51.9110", "4.3410"), "bbox_outside"),
        (("--prompter", "scripted:none.json"), "argument_invalid"),
        (("--store", "/proc/none"), "output_unwritable"),
    ],
)
def test_bad_options_exit_two_with_code_value_and_way_out(place, options, code):
    done = segmented(place, "tanks", *options)
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"{code}: ")
    assert said.endswith(".")
    assert "swapped" in said or code != "bbox_outside"


@pytest.mark.parametrize(
    "options",
    [
        ("--prompter", "nanoo"),
        ("--segmenter", "none.pth"),
        ("--segmenter", "./nowhere"),
        ("--device", "tpu", "--segmenter", "nano"),
    ],
)
def test_models_that_cannot_be_had_exit_three(place, options):
    done = segmented(place, "tanks", *options)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("model_unavailable: ")


def test_filters_orders_and_tables_are_options_of_the_same_names(place):
    found = json.loads(segmented(place, "tanks", "--json").stdout)
    first, store = found["id"], ("--store", "store")
    made = json.loads(
        t2s(place, "refine", first, *store, "--sort-by", "area", "--descending", "--first", "1", "--json").stdout
    )
    assert [region["area"] for region in made["regions"]] == [max(region["area"] for region in found["regions"])]
    near = json.loads(t2s(place, "refine", first, *store, "--with", first, "--beyond-m", "0", "--json").stdout)
    assert near["left_out"].keys() <= {"beyond_m"}
    said = t2s(place, "describe", first, *store, "--with", first, "--columns", "length,edge", "--first", "3").stdout
    header = next(line for line in said.splitlines() if line.startswith("id "))
    names = "id area_m2 pm lon lat length_m length_pm edge nearest_m nearest_pm nearest_id"
    assert " ".join(header.split()) == names
    assert t2s(place, "describe", first, *store, "--columns", "colour").returncode == 2


def test_a_scene_that_was_looked_at_in_windows_has_one_file_more(t2s):
    once = t2s("segment", "harbour.tif", "tanks")
    windows = t2s("segment", "harbour.tif", "tanks", "--max-size", "512", "--mode", "full", "--max-windows", "1")
    assert windows.returncode == 0, windows.stderr
    assert "windows.geojson" not in once.stdout
    assert "windows.geojson" in windows.stdout
    assert "the same command with a higher --max-windows" in windows.stdout
