"""`results`: what was made, found again, shown, deleted."""

import json
from datetime import UTC, datetime

import pytest


@pytest.fixture
def three(made):
    first = made("segment", "harbour.tif", "tanks")
    second = made("segment", "harbour.tif", "helicopters")
    third = made("refine", first["id"], "--drop", "2")
    return [third["id"], second["id"], first["id"]]


def test_in_a_pipe_each_result_is_one_whole_line_however_narrow(t2s, three):
    lines = t2s("results", COLUMNS="40").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == three
    _, time, operation, status, regions, area, unit, image, query = lines[0].split("\t")
    assert (operation, status, regions, unit) == ("refine drop", "found", "1", "m2")
    assert (image, query) == ("harbour.tif", "tanks")
    assert float(area) == pytest.approx(676.4)
    assert datetime.fromisoformat(time).tzinfo == UTC


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--query", "TANK"), [0, 2]),
        (("--status", "empty"), [1]),
        (("--image", "harb*"), [0, 1, 2]),
        (("--image", "quay"), []),
        (("--since", "1h"), [0, 1, 2]),
        (("--since", "2999-01-01"), []),
        (("--limit", "1"), [0]),
        (("--limit", "0"), [0, 1, 2]),
    ],
)
def test_results_are_filtered(t2s, three, options, expected):
    done = t2s("results", *options)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [three[i] for i in expected]
    assert ("2 more" in done.stderr) == ("1" in options)


def test_json_lists_ids_images_and_how_many_are_left_out(t2s, three):
    listed = json.loads(t2s("results", "--json", "--limit", "2").stdout)
    assert ([r["id"] for r in listed["results"]], listed["left_out"]) == (three[:2], 1)
    assert (listed["results"][0]["image"], listed["results"][0]["regions"]) == ("harbour.tif", 1)


def test_last_is_the_newest_result_also_within_one_second(made, three):
    assert made("describe", "last")["subject"] == three[0]
    assert made("refine", "last", "--keep", "1")["parents"] == [three[0]]


def test_a_result_is_shown_again(t2s, three):
    shown = t2s("results", "show", three[2]).stdout
    assert "2 regions" in shown
    assert three[2] in shown


def test_deleting_asks_refuses_parents_and_names_what_went(t2s, three):
    refined, empty, first = three
    assert "--yes" in t2s("results", "delete", empty).stderr  # nobody is there to be asked
    parent = t2s("results", "delete", first, "--yes")
    assert (parent.returncode, refined in parent.stderr, "--force" in parent.stderr) == (2, True, True)
    assert t2s("results", "delete", first, refined, "--yes").stdout.split() == ["deleted", first, "deleted", refined]
    assert [line.split("\t")[0] for line in t2s("results").stdout.splitlines()] == [empty]


def test_a_parent_is_deleted_by_force(t2s, three):
    assert t2s("results", "delete", three[2], "--yes", "--force").returncode == 0
    assert t2s("results").stdout.count("\n") == 2


def test_one_unknown_id_deletes_nothing(t2s, three):
    assert t2s("results", "delete", three[0], "r_00000000abcd", "--yes").returncode == 2
    assert t2s("results").stdout.count("\n") == 3


def test_an_empty_store_is_said_on_standard_error(t2s):
    done = t2s("results")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (0, "", "No results yet.")


def test_an_unknown_status_names_those_that_there_are(t2s):
    assert "found, partly, empty, not_understood" in t2s("results", "--status", "fond").stderr
