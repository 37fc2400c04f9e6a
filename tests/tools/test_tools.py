"""The three tools as plain functions, without a server."""

import io
import json
from typing import get_args

import pytest
from PIL import Image
from served.data import rows_of, said, settings_in, stage
from t2s_agent.tools import describe_region, reason_segment, refine_mask
from t2s_agent.tools.answers import TEXT_BYTES, Column, SortBy, size_of, warnings_for_agents
from t2s_agent.tools.images import image_name

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.regions.order import SORT_BY
from t2s_agent.regions.table import COLUMNS


@pytest.fixture
def engine(tmp_path):
    stage(tmp_path)
    return Engine.open(settings_in(tmp_path))


def test_a_tool_is_a_typed_function_over_a_workshop(engine):
    answer = reason_segment(engine, "harbour.tif", "tanks")
    assert answer.status == "found"
    assert [row["id"] for row in rows_of(answer.facts())] == [1, 2]
    assert answer.picture.startswith(b"\xff\xd8")
    assert not reason_segment(engine, "harbour.tif", "tanks", preview=False).picture


def test_facts_hold_only_what_is_known(engine):
    facts = reason_segment(engine, "harbour.tif", "tanks").facts()
    assert facts.keys() == {"status", "result_id", "total", "total_area_m2", "total_pm", "columns", "rows", "thinking"}
    assert reason_segment(engine, "harbour.tif", "nothing").facts()["rows"] == []


def test_areas_and_their_plus_minus_are_those_of_the_pixels(engine):
    """A tank of 20 x 20 pixels of half a metre: 100 m2, and half a pixel along a boundary of 40 m is 10 m2."""
    facts = reason_segment(engine, "harbour.tif", "tanks").facts()
    for row in rows_of(facts):
        assert (row["area_m2"], row["pm"]) == (pytest.approx(100, rel=2e-3), pytest.approx(10, rel=0.02))
    assert (facts["total_area_m2"], facts["total_pm"]) == (pytest.approx(200, rel=2e-3), pytest.approx(20, rel=0.02))
    columns = rows_of(describe_region(engine, facts["result_id"], detail="regions", columns=["length", "perimeter"]).facts())
    for row in columns:
        assert (row["length_m"], row["perimeter_m"]) == (pytest.approx(10, rel=0.01), pytest.approx(40, rel=0.01))
        assert 0 < row["length_pm"] <= 0.5  # a pixel
        assert 0 < row["perimeter_pm"] <= 4  # a tenth
    measured = describe_region(engine, facts["result_id"], 1).facts()["measured"]
    assert measured["area_pm_m2"] == pytest.approx(10, rel=0.02)


def test_an_answer_lists_at_most_what_was_asked_for_and_says_how_to_go_on(engine):
    answer = reason_segment(engine, "harbour.tif", "many", max_regions=3)
    assert (len(answer.rows), answer.total > 3) == (3, True)
    assert answer.next == f'describe_region(result_id="{answer.result_id}", detail="regions", first_region=4)'


def test_an_answer_fits_its_bytes_however_many_regions_there_are(engine):
    facts = reason_segment(engine, "harbour.tif", "many", max_regions=500).facts()
    assert size_of(facts) <= TEXT_BYTES
    assert len(json.loads(json.dumps(facts))["rows"]) < facts["total"]


def test_refining_keeps_what_is_near_and_names_its_parents(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    near = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, within_m=32)
    assert near.total == 1
    assert near.left_out == {"within_m": 1}
    both = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, operation="union")
    assert both.total == 3


def test_a_point_adds_an_object_and_drop_removes_one(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    assert refine_mask(engine, tanks.result_id, drop=[1]).total == 1
    box = describe_region(engine, tanks.result_id, 1).measured["bbox"]
    west, south, east, north = box
    wide = refine_mask(engine, tanks.result_id, box=[east, south, east + (east - west), north])
    assert wide.total == 3


def test_describing_measures_a_region(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    told = describe_region(engine, tanks.result_id, 2).facts()
    assert told["measured"]["area_m2"] == pytest.approx(100, rel=2e-3)
    assert told["measured"]["length_m"] == pytest.approx(10, rel=0.05)
    assert (told["status"], told["region_id"]) == ("found", 2)


def test_what_was_done_is_said_with_its_values(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(
        engine, tanks.result_id, combine_with=quay.result_id, operation="difference", within_m=50, min_area_m2=10
    )
    other = quay.result_id
    told = describe_region(engine, both.result_id).facts()
    assert told["operation"] == f"difference with {other}; within_m 50 of {other}; min_area_m2 10"
    assert told["parents"] == [tanks.result_id, other]


def test_a_radius_that_smooths_nothing_is_said(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    assert any("smooth_m changed no region" in w for w in refine_mask(engine, tanks.result_id, smooth_m=1e5).warnings)
    assert not refine_mask(engine, tanks.result_id, drop=[1]).warnings


def test_a_picture_of_a_region_shows_it_with_its_outline_and_what_is_around(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    crop = Image.open(io.BytesIO(describe_region(engine, tanks.result_id, 2, preview=True).picture)).convert("RGB")
    row = [crop.getpixel((x, round(crop.height * 0.42))) for x in range(crop.width)]  # between lines of the grid
    edges = [x / crop.width for x, (red, green, _) in enumerate(row) if red > 180 and green > 150]
    # 20 px of the image, with 16 px on each side: of 53 in all, the outline is at 16 and 36
    assert (min(edges), max(edges)) == pytest.approx((16 / 53, 36 / 53), abs=0.02)
    assert max(abs(c - 90) for c in row[round(crop.width * 0.45)]) < 12
    assert max(abs(c - 90) for c in row[round(crop.width * 0.12)]) < 12


def test_a_picture_of_an_image_or_of_a_box_needs_no_segmenting(engine):
    whole = Image.open(io.BytesIO(describe_region(engine, image="harbour.tif", preview=True).picture))
    assert whole.size == (480, 400)  # enlarged by a whole factor
    told = describe_region(engine, image="harbour.tif").facts()["measured"]["bbox"]
    west, south, east, north = told
    part = describe_region(engine, image="harbour.tif", bbox=[west, south, (west + east) / 2, north], preview=True)
    shown = Image.open(io.BytesIO(part.picture))
    assert shown.width / shown.height == pytest.approx(60 / 100, rel=0.05)
    assert part.measured["bbox"][2] < east
    assert not describe_region(engine, image="harbour.tif").picture


def test_first_region_alone_lists_regions(engine):
    many = reason_segment(engine, "harbour.tif", "many", max_regions=1)
    assert describe_region(engine, many.result_id, first_region=3).facts()["rows"][0][0] == 3


def test_a_description_says_whose_question_about_which_image_it_is(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    told = describe_region(engine, tanks.result_id).facts()
    assert (told["query"], told["image"]) == ("tanks", "harbour.tif")


def test_regions_are_listed_from_one_on(engine):
    many = reason_segment(engine, "harbour.tif", "many", max_regions=1)
    page = describe_region(engine, many.result_id, detail="regions", first_region=5).facts()
    assert page["rows"][0][0] == 5
    assert page.keys() - {"next"} == {"status", "result_id", "total", "columns", "rows"}  # the summary was on page one
    with pytest.raises(T2SError, match=r"region_unknown.*1 to"):
        describe_region(engine, many.result_id, detail="regions", first_region=10_000)


def test_an_image_may_be_named_by_the_address_of_its_resource(engine):
    assert image_name("t2s://images/sub/a%20b.tif") == "sub/a b.tif"
    assert reason_segment(engine, "t2s://images/sub/field.tif", "tanks").status == "found"


def test_nothing_to_describe_lists_images_in_pages(engine):
    told = describe_region(engine, first_region=2).facts()
    assert told["total"] == 3
    assert [row["image"] for row in rows_of(told)] == ["photo.png", "sub/field.tif"]


def test_the_same_result_again_gives_each_region_its_neighbour(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    told = describe_region(engine, tanks.result_id, combine_with=tanks.result_id, pairs_within_m=25).facts()
    assert [(row["id"], row["nearest_id"]) for row in rows_of(told)] == [(1, 2), (2, 1)]
    assert [row["nearest_m"] for row in rows_of(told)] == [pytest.approx(25, rel=2e-3)] * 2  # 50 px of half a metre
    assert told["measured"]["pairs_within"] in (0, 1)  # the ground's metres are not the map's
    assert (
        describe_region(engine, tanks.result_id, combine_with=tanks.result_id, pairs_within_m=26).measured[
            "pairs_within"
        ]
        == 1
    )


def test_two_results_are_compared_with_the_difference_of_their_totals(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    told = describe_region(engine, tanks.result_id, combine_with=quay.result_id, sort_by="nearest", first=1).facts()
    assert [row["id"] for row in rows_of(told)] == [1]
    assert rows_of(told)[0]["nearest_m"] == pytest.approx(30, rel=2e-3)
    assert any("difference" in name for name in told["measured"])


def test_the_nearest_and_the_farthest_pair_are_named_with_their_places(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query).facts() for query in ("tanks", "quay"))
    near = describe_region(engine, tanks["result_id"], combine_with=quay["result_id"]).measured["nearest_m"]
    own, other = ({row["id"]: [row["lon"], row["lat"]] for row in rows_of(each)} for each in (tanks, quay))
    for kind in ("min", "max"):
        assert near[f"{kind}_at"] == [own[near[f"{kind}_ids"][0]], other[near[f"{kind}_ids"][1]]]
    assert near["min_ids"] != near["max_ids"]


def test_perimeters_are_summed_like_areas(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    told = describe_region(engine, tanks.result_id, columns=["perimeter"]).facts()
    perimeters = [row["perimeter_m"] for row in rows_of(told)]
    assert told["measured"]["total_perimeter_m"] == pytest.approx(sum(perimeters), abs=0.1)
    assert told["measured"]["largest_perimeter_m"] == max(perimeters)
    assert "total_length_m" not in told["measured"]


def test_measuring_a_result_reads_no_pixel_of_its_image(engine, tmp_path):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    told = describe_region(engine, tanks.result_id).measured
    assert told["image_area_m2"] == pytest.approx(
        describe_region(engine, image="harbour.tif").measured["image_area_m2"]
    )
    (engine.settings.roots[0] / "harbour.tif").unlink()
    assert describe_region(engine, tanks.result_id).measured == told
    with pytest.raises(T2SError) as caught:  # a model has to look at it
        describe_region(engine, tanks.result_id, question="What is this?")
    assert caught.value.code == "image_not_found"


def test_a_record_without_its_area_is_measured_by_its_image(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    told = describe_region(engine, tanks.result_id).measured
    record = engine.store.artifact(tanks.result_id, "record.json")
    facts = json.loads(record.read_text(encoding="utf-8"))
    del facts["scene"]["view_area"]
    record.write_text(json.dumps(facts), encoding="utf-8")
    assert describe_region(engine, tanks.result_id).measured == told


def test_regions_are_listed_in_an_order_with_more_columns_and_from_a_place_on(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, operation="union")
    asked = {"columns": ["length", "from"], "sort_by": "area", "descending": True}
    told = describe_region(engine, both.result_id, **asked).facts()
    first, *rest = rows_of(told)
    assert first["area_m2"] == pytest.approx(125, rel=2e-3)
    assert first["length_m"] == pytest.approx(25, rel=0.05)
    assert first["from"] == [[quay.result_id, 1]]
    later = describe_region(engine, both.result_id, **asked, first_region=2).facts()
    assert rows_of(later) == rest


def test_the_largest_is_kept_without_a_model_and_what_went_is_counted(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, operation="union")
    one = refine_mask(engine, both.result_id, sort_by="area", descending=True, first=1)
    assert (one.total, one.left_out) == (1, {"first": 2})
    assert one.total_area_m2 == pytest.approx(125, rel=2e-3)
    far = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, beyond_m=32)
    assert [row["was"] for row in rows_of(far.facts())] == [2]


def test_zero_metres_means_touching_and_not_off(engine):
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    none = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, within_m=0)
    assert (none.status, none.total, none.left_out) == ("empty", 0, {"within_m": 2})
    assert refine_mask(engine, tanks.result_id, combine_with=tanks.result_id, within_m=0).total == 0


def test_an_empty_id_is_not_a_wish_to_see_the_images(engine):
    with pytest.raises(T2SError, match="result_id is empty"):
        describe_region(engine, "")
    assert describe_region(engine, "", image="").total == 3  # clients that fill in everything
    with pytest.raises(T2SError, match="neither result_id nor image"):
        describe_region(engine, bands=True)


def test_bands_are_measured_on_request(engine):
    assert "bands" not in describe_region(engine, image="harbour.tif").measured
    assert len(describe_region(engine, image="harbour.tif", bands=True).measured["bands"]) == 3


def test_labels_stand_in_the_table_where_they_differ_or_are_asked_for(engine, tmp_path):
    assert "label" not in reason_segment(engine, "harbour.tif", "tanks").columns
    assert "label" in reason_segment(engine, "harbour.tif", "tanks", columns=["label"]).columns
    tanks, quay = (reason_segment(engine, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(engine, tanks.result_id, combine_with=quay.result_id, operation="union")
    assert {row["label"] for row in rows_of(both.facts())} == {"tank", "thing"}


@pytest.mark.parametrize(("count", "most"), [(7, 850), (50, 3_850)])
def test_an_answer_is_less_than_half_as_long_as_it_was(tmp_path, count, most):
    """Bytes at commit 8a55278 for these two questions: 1,698 and 7,702."""
    boxes = [(5 + 11 * (i % 10), 5 + 9 * (i // 10), 13 + 11 * (i % 10), 11 + 9 * (i // 10)) for i in range(count)]
    stage(tmp_path)
    (tmp_path / "script.json").write_text(json.dumps([{"question": "*", "raw": said(boxes)}]), encoding="utf-8")
    answer = reason_segment(Engine.open(settings_in(tmp_path)), "harbour.tif", "small vehicles")
    assert answer.total == count
    assert size_of(answer.facts()) < most


def test_remarks_that_are_alike_are_told_once_and_few_in_all():
    many = [f"instance {i}: its box was clipped to the image" for i in range(1, 9)]
    assert warnings_for_agents(many) == ["instance 1: its box was clipped to the image (and 7 more of the kind)"]
    told = warnings_for_agents([f"{word} is odd" for word in "abcdefgh"])
    assert (len(told), told[-1]) == (6, "and 3 other remarks")


def test_the_tools_offer_the_columns_and_orders_that_the_library_has():
    assert get_args(Column) == COLUMNS
    assert set(get_args(SortBy)) == {"none", *SORT_BY}
