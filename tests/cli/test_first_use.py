"""What somebody meets who uses the program for the first time: names, boxes, options, scales."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def last_line(done):
    return done.stderr.splitlines()[-1]


def extent(done):
    """The western and northern edge that an error names."""
    numbers = re.findall(r"xmax, ymax = ([\d., ]+\d)", last_line(done))[0].split(", ")
    return float(numbers[0]), float(numbers[3])


@pytest.mark.parametrize("image", ["harbor.tif", "HARBOUR.TIF", "harbour", "./harbour.tiff"])
def test_a_misspelt_image_is_answered_with_near_names(t2s, image):
    done = t2s("segment", image, "tanks")
    assert (done.returncode, image in last_line(done), "'harbour.tif'" in last_line(done)) == (2, True, True)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (".", ("is a folder", "harbour.tif")),
        ("nowhere/harbour.tif", ("There is no folder",)),
        (
            "https://example.org/a.tif",
            ("https://example.org/a.tif", "no host is allowed", "T2S_REMOTE_HOSTS=example.org"),
        ),
        ("s3://bucket/a.tif", ("remote images", "signed https address")),
        ("GS://bucket/a.tif", ("remote images", "signed https address")),
        ("/vsicurl/https://example.org/a.tif", ("remote images",)),
        ("file:///tmp/a.tif", ("by its path",)),
    ],
)
def test_what_is_no_file_is_called_what_it_is(t2s, image, words):
    done = t2s("segment", image, "tanks")
    assert done.returncode == 2
    assert all(word in last_line(done) for word in words)


def test_an_address_is_shown_without_password_and_signature(t2s):
    done = t2s("segment", "https://me:secret@example.org/a.tif?sig=abc", "tanks")
    assert "secret" not in done.stderr
    assert "abc" not in done.stderr


def test_the_home_folder_may_be_written_as_a_tilde(t2s, place):
    assert t2s("segment", "~/harbour.tif", "tanks", "--out=~/at home", HOME=str(place)).returncode == 0
    assert (place / "at home" / "preview.png").is_file()


def test_a_box_in_metres_gets_the_extent_and_the_option_that_takes_it(t2s, made):
    with_box = ("segment", "harbour.tif", "tanks", "--bbox", "592000", "5751400", "592100", "5751500")
    said = last_line(t2s(*with_box))
    assert said.startswith("bbox_invalid: ")
    assert "4.337417, 51.908208" in said
    elsewhere = t2s("segment", "harbour.tif", "tanks", "--bbox", "0,0,1,1", "--bbox-crs", "image")
    west, north = extent(elsewhere)
    inside = [west + 50, north - 100, west + 100, north - 50]
    assert "--bbox-crs image" in last_line(t2s("segment", "harbour.tif", "tanks", "--bbox", *inside))
    for crs in ("image", "EPSG:32631"):
        record = made("segment", "harbour.tif", "helicopters", "--bbox", *inside, "--bbox-crs", crs)
        assert record["scene"]["window"] == [100, 100, 100, 100]  # pixels of 0.5 m
        assert record["parameters"]["bbox_crs"] == crs
        assert made("replay", record["id"])["first_difference"] is None
    assert made("describe", "harbour.tif", "--bbox", *inside, "--bbox-crs", "image")["measured"]["width_px"] == 100


def test_a_box_may_be_in_pixels(made):
    record = made("segment", "harbour.tif", "helicopters", "--bbox", "10,20,40,60", "--bbox-crs", "pixels")
    assert record["scene"]["window"] == [10, 20, 30, 40]


def test_points_and_a_box_of_a_refinement_may_be_in_metres(t2s, made):
    first = made("segment", "harbour.tif", "one tank")
    box = made("describe", "harbour.tif", "--bbox", "140,414,192,466", "--bbox-crs", "pixels")["measured"][
        "bounds_lonlat"
    ]
    said = t2s("refine", first["id"], "--box", "0,0,1,1", "--crs", "image")
    west, north = extent(said)
    metres = [west + 70, north - 233, west + 96, north - 207]
    in_metres = made("refine", first["id"], "--box", *metres, "--crs", "EPSG:32631")
    in_degrees = made("refine", first["id"], "--box", *box)
    assert len(in_metres["regions"]) == len(in_degrees["regions"]) == 2
    assert in_metres["regions"][1]["area"] == pytest.approx(in_degrees["regions"][1]["area"], rel=0.05)
    assert in_metres["regions"][1]["area"] == pytest.approx(676.4)
    assert made("replay", in_metres["id"])["first_difference"] is None


def test_swapped_points_are_recognised_as_swapped_boxes_are(t2s, made):
    first = made("segment", "harbour.tif", "tanks")["id"]
    point = t2s("refine", first, "--point", "51.909, 4.338")
    box = t2s("segment", "harbour.tif", "tanks", "--bbox", "51.9085,4.3380,51.9090,4.3390")
    assert "latitude and longitude look swapped" in last_line(point)
    assert "latitude and longitude look swapped" in last_line(box)
    metres = t2s("refine", first, "--point", "592000 5751000")
    assert (metres.returncode, "--crs" in last_line(metres)) == (2, True)


def test_ids_are_dropped_in_ranges_and_the_parents_ids_are_shown(t2s, made):
    first = made("segment", "harbour.tif", "tanks")["id"]
    shown = t2s("refine", first, "--drop", "1-1").stdout.splitlines()
    header = next(i for i, line in enumerate(shown) if line.startswith("id"))
    assert shown[header].split()[:2] == ["id", "was"]
    assert shown[header + 1].split()[:2] == ["1", "2"]


def test_labels_and_thinking_are_no_markup_and_move_no_cursor(t2s):
    shown = t2s("segment", "harbour.tif", "marked").stdout
    assert "[red]tank[/red] :boat:" in shown
    assert "[bold]Round[/bold]" in shown
    assert "\x1b" not in shown


def test_in_a_narrow_pipe_no_line_is_wrapped_or_cut(t2s, place):
    wide, narrow = (t2s("segment", "harbour.tif", "tanks", COLUMNS=columns) for columns in ("200", "40"))
    assert len(wide.stdout.splitlines()) == len(narrow.stdout.splitlines())
    assert "preview.png" in narrow.stdout
    assert len(wide.stderr.splitlines()) == len(narrow.stderr.splitlines())
    assert len(t2s("segment", "absent.tif", "tanks", COLUMNS="40").stderr.splitlines()) == 1


def test_nothing_found_in_a_coarse_view_says_what_could_not_be_seen(t2s, made):
    coarse = t2s("segment", "harbour.tif", "helicopters", "--max-size", "64", "--mode", "overview")
    [said] = [line for line in coarse.stdout.splitlines() if line.startswith("Nothing found")]
    assert said == "Nothing found, but objects smaller than about 40 m cannot be seen at this scale."  # 8 px of 5 m
    assert "viewed at 5 m per pixel, the image has 0.5 m" in coarse.stdout
    fine = t2s("segment", "harbour.tif", "helicopters").stdout
    assert "Nothing found." in fine.splitlines()


def test_a_variable_that_means_nothing_is_said_with_a_near_name(t2s):
    done = t2s("results", T2S_PROMTER="nano")
    assert "T2S_PROMTER is unknown: did you mean T2S_PROMPTER?" in done.stderr
    assert "T2S_API_KEY" not in t2s("results", T2S_API_KEY="x").stderr


def test_a_misspelt_setting_of_the_file_is_answered_with_a_near_name(t2s, tmp_path):
    (tmp_path / "mine.toml").write_text('promter = "nano"\n', encoding="utf-8")
    done = t2s("results", T2S_CONFIG=str(tmp_path / "mine.toml"))
    assert (done.returncode, "Did you mean prompter?" in last_line(done)) == (2, True)


@pytest.mark.parametrize(
    ("words", "near"),
    [(("segmnt",), "segment"), (("segment", "--promter", "x", "a", "b"), "--prompter")],
)
def test_misspelt_commands_and_options_are_answered_with_near_ones(t2s, words, near):
    done = t2s(*words)
    assert (done.returncode, near in done.stderr) == (2, True)


def test_the_version_is_printed(t2s):
    done = t2s("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "t2s-agent")


@pytest.mark.parametrize("words", [("-v", "segment"), ("segment", "-v")])
def test_verbose_says_versions_and_timings_on_standard_error(t2s, words):
    done = t2s(*words, "harbour.tif", "tanks", "--json")
    assert "torch" in done.stderr
    assert "seconds: read" in done.stderr
    assert json.loads(done.stdout)["status"] == "found"
    assert "torch" not in t2s("segment", "harbour.tif", "tanks").stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_shown(t2s, shell):
    script = t2s("--show-completion", shell).stdout
    assert (f"complete_{shell}" in script, "_T2S_AGENT_COMPLETE" in script) == (True, True)


def test_commands_are_completed(t2s):
    done = t2s(_T2S_AGENT_COMPLETE="complete_bash", COMP_WORDS="t2s-agent des", COMP_CWORD="1")
    assert done.stdout.split() == ["describe"]


def test_places_that_cannot_be_written_are_named_before_the_work(t2s, place):
    (place / "a file").write_text("", encoding="utf-8")
    (place / "taken.png").mkdir(exist_ok=True)
    for out, code in (("a file/inside.png", "output_unwritable"), ("taken.png", "argument_invalid")):
        done = t2s("segment", "harbour.tif", "tanks", "--out", out)
        assert (done.returncode, done.stdout) == (2, "")
        assert last_line(done).startswith(code)
        assert "asking" not in done.stderr


def piped(place, tmp_path, redirected):
    """The exit code and the errors of the listing, run by a shell that does something else with its output."""
    program = f'"{sys.executable}" -c "from t2s_agent.cli import main; main()" results {redirected}'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}"],
        cwd=place,
        env=os.environ | {"T2S_STORE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_nobody_reads_or_that_has_no_room_is_no_bug(t2s, place, tmp_path):
    t2s("segment", "harbour.tif", "tanks")
    assert piped(place, tmp_path, "--json | true") == (0, "")
    assert piped(place, tmp_path, "--json >&-") == (0, "")
    code, said = piped(place, tmp_path, "> /dev/full")
    assert (code, said.partition(":")[0], len(said.splitlines())) == (2, "output_unwritable", 1)
