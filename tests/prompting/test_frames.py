"""From a model's coordinates to View pixels and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_agent.instance import Instance
from t2s_agent.prompting.frames import MAX_PIXELS, MIN_PIXELS, Pixels, Relative, Size, Square, Tiles, smart_size

sides = st.integers(1, 6000)
rules = st.sampled_from([Square(840), Pixels(28), Relative(32), Relative(32, square=448), Tiles(448)])
numbers = st.floats(0, 5000)


@given(rules, sides, sides, st.tuples(numbers, numbers, numbers, numbers))
def test_to_the_view_and_back_is_the_identity(rule, width, height, box):
    frame = rule.frame(Size(width, height))
    instance = Instance(box, ((box[0], box[3]),), ((box[2], box[1]),))
    back = frame.to_view(frame.from_view(instance))
    assert back.box == pytest.approx(instance.box)
    assert back.positive[0] == pytest.approx(instance.positive[0])


@given(rules, sides, sides)
def test_the_whole_frame_is_the_whole_view(rule, width, height):
    frame = rule.frame(Size(width, height))
    whole = frame.to_view(Instance((0, 0, frame.model.width, frame.model.height)))
    assert whole.box == pytest.approx((0, 0, width, height))


def test_worked_by_hand():
    view = Size(1680, 420)
    inside = Instance((84, 84, 420, 840))
    assert Square(840).frame(view).to_view(inside).box == (168, 42, 840, 420)
    assert Relative(32).frame(view).to_view(Instance((100, 100, 500, 1000))).box == (168, 42, 840, 420)
    assert Tiles(448).frame(view).to_view(Instance((100, 100, 500, 1000))).box == (168, 42, 840, 420)
    assert Tiles(448).picture(view) == Size(4 * 448, 448)
    assert Tiles(448).picture(Size(896, 896)) == Size(896, 896)
    assert Pixels(28).picture(Size(1000, 500)) == Size(1008, 504)
    assert Pixels(28).frame(Size(1000, 500)).to_view(Instance((0, 0, 504, 252))).box == (0, 0, 500, 250)


def test_the_papers_square_is_left_alone_by_the_processors_own_resizing():
    assert (
        smart_size(Size(840, 840), 28, 3136, 12845056)
        == smart_size(Size(840, 840), 28, 3136, MAX_PIXELS)
        == Size(840, 840)
    )


@settings(deadline=None)  # the first import of transformers takes seconds
@given(sides, sides, st.sampled_from([28, 32]))
def test_pictures_are_as_large_as_transformers_would_make_them(width, height, factor):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    if max(width, height) / min(width, height) <= 200:
        rows, columns = smart_resize(height, width, factor, MIN_PIXELS, MAX_PIXELS)
        assert smart_size(Size(width, height), factor, MIN_PIXELS, MAX_PIXELS) == Size(columns, rows)


@given(sides, sides)
def test_no_view_is_too_thin_for_a_picture(width, height):
    size = Pixels(28).picture(Size(width, height))
    assert min(size.width, size.height) >= 28
    assert size.width % 28 == size.height % 28 == 0
