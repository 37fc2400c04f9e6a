"""Two images of one place: areas on the ground, and what one of them does not show."""

import json

import numpy as np
import pytest
import rasterio
from archive.data import TANKS, said, write_scene

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.pipeline.change import change
from t2s_agent.settings import load_settings


@pytest.fixture
def changed(tmp_path):
    """Compares two scenes, each with boxes of its own that the prompter finds; gives the change."""

    def run(old, new, **places):
        script = []
        for name, boxes in (("before", old), ("after", new)):
            place = dict(places.get(name, {}))
            data = place.pop("data", None)
            write_scene(tmp_path / f"{name}.tif", side=64, **place)
            with rasterio.open(tmp_path / f"{name}.tif", "r+") as file:
                file.nodata = 0
                data = file.read() if data is None else data
                data[0, 0, 0] += name == "after"  # so that each has answers of its own
                file.write(data)
            digest = view_digest(tmp_path / f"{name}.tif", tmp_path)
            script.append({"question": TANKS, "raw": said(*boxes), "image": digest})
        (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
        settings = load_settings(
            prompter=f"scripted:{tmp_path / 'script.json'}", segmenter="box", store=tmp_path / "store"
        )
        return change(Engine.open(settings), tmp_path / "before.tif", tmp_path / "after.tif", TANKS)

    return run


def view_digest(path, folder):
    with Engine.open(load_settings(store=folder / "store")).scene(path) as scene:
        return scene.view(max_size=1024).digest()


def test_what_appeared_and_what_went_has_areas_in_square_metres_with_plus_minus(changed):
    found = changed([[8, 8, 16, 16], [40, 40, 48, 48]], [[8, 8, 16, 16], [20, 40, 30, 50]])
    facts = found.facts()
    assert (facts["appeared_count"], facts["gone_count"], facts["same_count"], facts["changed_count"]) == (1, 1, 1, 0)
    assert facts["appeared_area_m2"] == pytest.approx(100, rel=2e-3)
    assert facts["gone_area_m2"] == pytest.approx(64, rel=2e-3)
    assert facts["difference_m2"] == pytest.approx(36, rel=2e-3)
    assert facts["appeared_area_pm_m2"] > 0
    collection = found.collection()
    assert [feature["properties"]["change"] for feature in collection["features"]] == ["appeared", "gone", "same"]
    gone = collection["features"][1]["properties"]
    assert gone["area_after_m2"] == 0
    assert gone["difference_m2"] == pytest.approx(-64, rel=2e-3)
    json.dumps(collection, allow_nan=False)


def test_images_beside_each_other_are_compared_where_both_show_the_ground(changed):
    # the later image begins 32 m further east: its left half is the right half of the earlier one
    found = changed([[8, 8, 16, 16], [40, 40, 48, 48]], [[8, 40, 16, 48], [50, 8, 60, 18]], after={"west": 500_032.0})
    assert [(match.kind, match.before, match.after) for match in found.comparison.matches] == [("same", (2,), (1,))]
    assert found.comparison.not_seen_before == (1,)
    assert found.comparison.not_seen_after == (2,)


def test_nothing_at_both_dates_is_an_answer(changed):
    found = changed([], [])
    assert found.comparison.matches == ()
    assert found.facts()["difference_undecided"]
    assert found.collection()["features"] == []


def test_images_without_a_place_are_compared_by_their_pixels(changed):
    flat = {"crs": None}
    found = changed([[8, 8, 16, 16]], [[8, 8, 16, 24]], before=flat, after=flat)
    assert found.facts()["changed_area_px2"] == 128
    assert found.collection()["features"][0]["geometry"]["coordinates"][0][0][0][1] < 0  # y up, as in every file


def test_an_image_with_and_one_without_a_place_are_not_compared(changed):
    with pytest.raises(T2SError) as error:
        changed([], [], after={"crs": None})
    assert error.value.code == "no_georeference"


def test_ground_without_data_at_one_date_is_not_compared(changed):
    data = np.full((3, 64, 64), 60, np.uint8)
    data[:, :, 32:] = 0
    found = changed([[8, 8, 16, 16], [40, 40, 48, 48]], [], after={"data": data})
    assert [(match.kind, match.before) for match in found.comparison.matches] == [("gone", (1,))]
    assert found.comparison.not_seen_before == (2,)


def test_a_date_whose_picture_shows_nothing_is_named(changed):
    data = np.full((3, 64, 64), 60, np.uint8)
    found = changed(
        [[8, 8, 16, 16]], [[8, 8, 16, 16]], after={"data": data}, before={"data": np.tile(ramp(), (3, 1, 1))}
    )
    assert [said for said in found.warnings() if "no texture" in said] == [
        said for said in found.warnings() if "later" in said
    ]
    assert any(said.startswith("the later date: this picture has no texture") for said in found.facts()["warnings"])


def ramp():
    """A checked pattern with a slope: a picture with texture."""
    y, x = np.mgrid[:64, :64]
    return (60 + x + 25 * ((x // 5 + y // 7) % 2)).astype(np.uint8)
