"""The tool that measures results, regions and images."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from served.data import rows_of
from t2s_agent.tools import describe_region, reason_segment, refine_mask

from t2s_agent.errors import T2SError


def test_describing_measures_a_region(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    told = describe_region(engine, tanks.result_id, 2).facts()
    assert told["measured"]["area_m2"] == pytest.approx(100, rel=2e-3)
    assert told["measured"]["length_m"] == pytest.approx(10, rel=0.05)
    assert (told["status"], told["region_id"]) == ("found", 2)


def test_a_picture_of_a_region_shows_it_with_its_outline_and_what_is_around(engine):
    tanks = reason_segment(engine, "harbour.tif", "tanks")
    crop = Image.open(io.BytesIO(describe_region(engine, tanks.result_id, 2, preview=True).picture)).convert("RGB")
    row = np.asarray(crop)[round(crop.height * 0.42)].tolist()  # between lines of the grid
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
