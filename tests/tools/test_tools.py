"""The three tools as plain functions, without a server."""

import io
import json

import pytest
from PIL import Image
from served.data import settings_in, stage
from t2s_agent.tools import describe_region, reason_segment, refine_mask
from t2s_agent.tools.answers import TEXT_BYTES, size_of
from t2s_agent.tools.images import image_name

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Workshop


@pytest.fixture
def shop(tmp_path):
    stage(tmp_path)
    return Workshop.open(settings_in(tmp_path))


def test_a_tool_is_a_typed_function_over_a_workshop(shop):
    answer = reason_segment(shop, "harbour.tif", "tanks")
    assert answer.status == "found"
    assert [region.id for region in answer.regions] == [1, 2]
    assert answer.picture.startswith(b"\xff\xd8")
    assert not reason_segment(shop, "harbour.tif", "tanks", preview=False).picture


def test_facts_hold_only_what_is_known(shop):
    assert "parents" not in reason_segment(shop, "harbour.tif", "tanks").facts()
    assert "crs" not in reason_segment(shop, "photo.png", "tanks").facts()
    assert reason_segment(shop, "harbour.tif", "nothing").facts()["regions"] == []


def test_an_answer_lists_at_most_what_was_asked_for_and_says_how_to_go_on(shop):
    answer = reason_segment(shop, "harbour.tif", "many", max_regions=3)
    assert (answer.shown, answer.total > 3) == (3, True)
    assert answer.next == f'describe_region(result_id="{answer.result_id}", detail="regions", first_region=4)'


def test_an_answer_fits_its_bytes_however_many_regions_there_are(shop):
    facts = reason_segment(shop, "harbour.tif", "many", max_regions=500).facts()
    assert size_of(facts) <= TEXT_BYTES
    assert json.loads(json.dumps(facts))["shown"] < facts["total"]


def test_refining_keeps_what_is_near_and_names_its_parents(shop):
    tanks, quay = (reason_segment(shop, "harbour.tif", query) for query in ("tanks", "quay"))
    near = refine_mask(shop, tanks.result_id, combine_with=quay.result_id, within_m=32)
    assert near.total == 1
    assert near.parents == [tanks.result_id, quay.result_id]
    both = refine_mask(shop, tanks.result_id, combine_with=quay.result_id, operation="union")
    assert both.total == 3


def test_a_point_adds_an_object_and_drop_removes_one(shop):
    tanks = reason_segment(shop, "harbour.tif", "tanks")
    assert refine_mask(shop, tanks.result_id, drop=[1]).total == 1
    (west, south, east, north) = tanks.regions[0].bbox
    wide = refine_mask(shop, tanks.result_id, box=[east, south, east + (east - west), north])
    assert wide.total == 3


def test_describing_measures_a_region(shop):
    tanks = reason_segment(shop, "harbour.tif", "tanks")
    told = describe_region(shop, tanks.result_id, 2).facts()
    assert told["measured"]["area_m2"] == pytest.approx(100, rel=2e-3)
    assert told["measured"]["length_m"] == pytest.approx(10, rel=0.05)
    assert told["status"] == "described"


def test_what_was_done_is_said_with_its_values(shop):
    tanks, quay = (reason_segment(shop, "harbour.tif", query) for query in ("tanks", "quay"))
    both = refine_mask(
        shop, tanks.result_id, combine_with=quay.result_id, operation="difference", within_m=50, min_area_m2=10
    )
    other = quay.result_id
    assert both.operation == f"difference with {other}; within_m 50 of {other}; min_area_m2 10"


def test_a_radius_that_smooths_nothing_is_said(shop):
    tanks = reason_segment(shop, "harbour.tif", "tanks")
    assert any("smooth_m changed no region" in w for w in refine_mask(shop, tanks.result_id, smooth_m=1e5).warnings)
    assert not refine_mask(shop, tanks.result_id, drop=[1]).warnings


def test_a_picture_of_a_region_shows_it_with_its_outline_and_what_is_around(shop):
    tanks = reason_segment(shop, "harbour.tif", "tanks")
    crop = Image.open(io.BytesIO(describe_region(shop, tanks.result_id, 2, preview=True).picture)).convert("RGB")
    row = [crop.getpixel((x, crop.height // 2)) for x in range(crop.width)]
    edges = [x / crop.width for x, (red, green, _) in enumerate(row) if red > 180 and green > 150]
    # 20 px of the image, with 16 px on each side: of 53 in all, the outline is at 16 and 36
    assert (min(edges), max(edges)) == pytest.approx((16 / 53, 36 / 53), abs=0.02)
    assert max(abs(c - 90) for c in row[crop.width // 2]) < 12
    assert max(abs(c - 90) for c in crop.getpixel((2, 2))) < 12


def test_a_picture_of_an_image_or_of_a_box_needs_no_segmenting(shop):
    whole = Image.open(io.BytesIO(describe_region(shop, image="harbour.tif", preview=True).picture))
    assert whole.size == (120, 100)
    told = describe_region(shop, image="harbour.tif").facts()["measured"]["bbox"]
    west, south, east, north = told
    part = describe_region(shop, image="harbour.tif", bbox=[west, south, (west + east) / 2, north], preview=True)
    assert Image.open(io.BytesIO(part.picture)).width == pytest.approx(60, abs=3)
    assert part.measured["bbox"][2] < east
    assert not describe_region(shop, image="harbour.tif").picture


def test_first_region_alone_lists_regions(shop):
    many = reason_segment(shop, "harbour.tif", "many", max_regions=1)
    assert describe_region(shop, many.result_id, first_region=3).facts()["regions"][0]["id"] == 3


def test_a_description_says_whose_question_about_which_image_it_is(shop):
    tanks = reason_segment(shop, "harbour.tif", "tanks")
    told = describe_region(shop, tanks.result_id).facts()
    assert (told["query"], told["image"]) == ("tanks", "harbour.tif")


def test_regions_are_listed_from_one_on(shop):
    many = reason_segment(shop, "harbour.tif", "many", max_regions=1)
    page = describe_region(shop, many.result_id, detail="regions", first_region=5).facts()
    assert page["regions"][0]["id"] == 5
    with pytest.raises(T2SError, match=r"region_unknown.*1 to"):
        describe_region(shop, many.result_id, detail="regions", first_region=10_000)


def test_an_image_may_be_named_by_the_address_of_its_resource(shop):
    assert image_name("t2s://images/sub/a%20b.tif") == "sub/a b.tif"
    assert reason_segment(shop, "t2s://images/sub/field.tif", "tanks").status == "found"


def test_nothing_to_describe_lists_images_in_pages(shop):
    told = describe_region(shop, first_region=2).facts()
    assert (told["total"], told["shown"]) == (3, 2)
    assert told["images"][0]["image"] == "photo.png"
