"""The picture of a result: the view, outlines in colours, a scale bar and a legend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from views.data import cropped, mask_of, view_of

from t2s_agent.regions.build import build_regions
from t2s_agent.regions.picture import COLOURS, area_in_words, draw_picture, draw_regions, round_length
from t2s_agent.regions.region import Measure


def three():
    view = view_of()
    boxes = [(0, 0, 10, 10), (14, 0, 24, 10), (50, 30, 60, 40)]
    return view, build_regions(cropped(mask_of(view, *b) for b in boxes), view)


def test_the_picture_shows_view_and_legend(tmp_path):
    view, regions = three()
    draw_picture(view, regions, title="Where?").save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width == 720
        assert picture.height > 480
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_regions_alone_leave_the_views_size_and_its_other_pixels():
    view, regions = three()
    picture = np.asarray(draw_regions(view, regions))
    assert picture.shape == view.rgb.shape
    changed = (picture != view.rgb).any(-1)
    assert changed[0:10, 0:10].any()
    assert not changed[45:].any()


@pytest.mark.parametrize(("width", "height", "size"), [(3000, 1500, (2048, 1024)), (64, 4096, (32, 2048))])
def test_the_picture_of_a_large_view_is_made_smaller(tmp_path, width, height, size):
    view = view_of(height, width)
    regions = build_regions(cropped([mask_of(view, width // 2, height // 2, width, height)]), view)
    draw_picture(view, regions).save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width == size[0]
        assert picture.height > size[1]
        pixels = np.asarray(picture.convert("RGB"))[: size[1]].astype(int)
    inked = (pixels == COLOURS[0]).all(-1)  # the outline
    ys, xs = np.nonzero(inked)
    assert (xs.min(), ys.min()) == (pytest.approx(size[0] / 2, abs=8), pytest.approx(size[1] / 2, abs=8))


def test_areas_have_short_texts():
    assert area_in_words(Measure(549.4, 25.1, "m2")) == "549 ± 25 m²"
    assert area_in_words(Measure(7.81, 4.53, "px2")) == "7.8 ± 4.5 px²"
    assert area_in_words(Measure(6.63e12, 3.96e11, "m2")) == "6,630,000 ± 396,000 km²"
    assert area_in_words(Measure(2.5e6, 1.2e5, "m2")) == "2.50 ± 0.12 km²"


def test_every_region_is_outlined_in_its_colour_and_the_scale_bar_stands_below(tmp_path):
    view, regions = three()
    draw_picture(view, regions).save(tmp_path / "p.png")
    pixels = np.asarray(Image.open(tmp_path / "p.png"))
    for region in regions.regions:
        ys, xs = np.nonzero(regions.labels == region.id)
        factor = pixels.shape[1] // view.width
        part = pixels[ys.min() * factor : (ys.max() + 1) * factor, xs.min() * factor : (xs.max() + 1) * factor]
        assert (part == COLOURS[region.id - 1]).all(-1).any()
    below = pixels[int(view.height * factor * 0.93) : view.height * factor]
    assert (below == 255).all(-1).any()


@given(st.floats(0.01, 1e6))
def test_the_scale_bar_has_a_round_length_that_fits(metres):
    length = round_length(metres)
    assert metres / 2.6 <= length <= metres * 1.0001
    assert f"{length:e}"[0] in "125"


def test_long_titles_and_notes_stay_inside_the_picture():
    view, regions = three()
    picture = draw_picture(view, regions, title="Where are the öil tanks 油罐 " * 20)
    below = np.asarray(picture)[490:, -8:]  # the view is shown in 720 x 480 px
    assert (below == below[-1, -1]).all()
