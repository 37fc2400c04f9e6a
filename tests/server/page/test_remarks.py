"""Remarks in the words of the page: written elsewhere, for tools and files."""

import pytest

from t2s_agent.pipeline import Refinement, refine, segment
from t2s_agent.pipeline.calibrating import unsure_of
from t2s_agent.pipeline.large import about_seams
from t2s_agent.pipeline.window_accounts import about_windows
from t2s_agent.results.record import TilingRecord
from t2s_agent.scene.scale import Scale
from t2s_agent.server.page.remarks import corrections_of, on_the_page, seam_words

TANKS = "Where are the storage tanks?"
TILING = TilingRecord(
    tile=64,
    overlap=8,
    grid=(256, 256),
    windows=25,
    looked_at=6,
    not_reached=19,
    share_not_looked_at=0.71,
    threshold=0.5,
)


class NoLooks:
    def windows(self):
        return ()


WRITTEN = [
    unsure_of(18, 29, 0.45),
    unsure_of(1, 7, 0.45),
    about_seams(1),
    about_seams(3),
    *about_windows(TILING, NoLooks()),
    Scale(40.0, 0.5, 20.0).remark(1024),
]


@pytest.mark.parametrize("remark", WRITTEN)
def test_no_remark_of_the_page_has_words_of_tools_and_files(remark):
    said = on_the_page(remark)
    assert said != remark
    for word in ("column", "bbox", "min_probability", "max_size", "mode full", "higher limit", "windows.geojson"):
        assert word not in said
    assert said[0].isupper() or said[0].isdigit()
    assert said.endswith(".")


def test_a_remark_keeps_what_it_says():
    assert on_the_page("the image has no coordinate reference system: measures are in pixels") == (
        "The image has no coordinate reference system: measures are in pixels."
    )
    assert on_the_page(about_seams(1)).startswith(
        "1 object lies across edges of windows that do not agree on it: a “?”"
    )


def test_names_at_the_beginning_stay_as_they_are():
    assert on_the_page("bay.tif beside the image: not read") == "bay.tif beside the image: not read."
    assert on_the_page("nano was not taught 'cranes'", "nano") == "nano was not taught 'cranes'."


def test_codes_of_seams_are_said_in_words():
    assert seam_words(["edge_unseen"]) == ["it continues in a window that was not looked at"]


def test_a_result_of_one_look_takes_all_corrections(engine):
    assert corrections_of(segment(engine, "harbour.tif", TANKS)) == {"words": "all", "marks": True, "why": ""}


def test_a_result_of_windows_takes_words_that_are_computed(engine):
    windowed = segment(engine, "harbour.tif", TANKS).model_copy(update={"tiling": TILING})
    found = corrections_of(windowed)
    assert found["words"] == "sizes"
    assert "“only the largest”" in found["why"]
    made = segment(engine, "harbour.tif", TANKS)
    for words in ("only the largest", "the three longest", "larger than 200 m²"):  # as promised
        refine(engine, made.id, Refinement(instruction=words))


def test_a_result_too_large_to_hold_takes_words_about_sizes_and_no_marks(engine, monkeypatch):
    windowed = segment(engine, "harbour.tif", TANKS).model_copy(update={"tiling": TILING})
    monkeypatch.setattr("t2s_agent.pipeline.refine_large.MOST_PIXELS", 100)
    found = corrections_of(windowed)
    assert (found["words"], found["marks"]) == ("sizes", False)
    assert "7 regions in 640 × 640 px" in found["why"]
