"""Tests that what is written as a model's answer is read back by the product's parser: the same instances, in whole numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.instance import Instance
from t2s_agent.prompting.frames import Frame, Size
from t2s_agent.prompting.parsing import parse_answer, well_tagged
from t2s_agent.prompting.style import STYLES
from training.answers import rounded, write_answer

WIDTH, HEIGHT = 448, 300
FRAMES = {
    "pixels": Frame(Size(WIDTH, HEIGHT), Size(WIDTH, HEIGHT)),
    "square": Frame(Size(840, 840), Size(WIDTH, HEIGHT)),
    "relative": Frame(Size(1000, 1000), Size(WIDTH, HEIGHT)),
    "coarse": Frame(Size(84, 84), Size(WIDTH, HEIGHT)),
}
pixel = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)).map(lambda at: (at[0] + 0.5, at[1] + 0.5))


@st.composite
def boxes(draw):
    x1, y1 = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return float(x1), float(y1), float(draw(st.integers(x1 + 1, WIDTH))), float(draw(st.integers(y1 + 1, HEIGHT)))


def instances_for(style):
    return st.lists(
        st.builds(
            Instance,
            boxes() if style.box else st.none(),
            st.lists(pixel, min_size=style.positive, max_size=style.positive).map(tuple),
            st.lists(pixel, min_size=style.negative, max_size=style.negative).map(tuple),
            score=st.integers(0, 100).map(lambda percent: percent / 100) if style.confidence else st.none(),
        ),
        max_size=4,
    )


@pytest.mark.parametrize("frame", FRAMES.values(), ids=list(FRAMES))
@pytest.mark.parametrize("style", STYLES.values(), ids=list(STYLES))
@given(data=st.data())
def test_strict_parsing_reads_back_the_same_instances(style, frame, data):
    instances = data.draw(instances_for(style))
    text = write_answer(instances, frame, style, "A thought.")
    read = parse_answer(text, frame=(frame.model.width, frame.model.height), style=style, strict=True)
    assert list(read.instances) == rounded(instances, frame)
    assert read.status == ("found" if instances else "empty")
    assert read.thinking == "A thought."
    assert well_tagged(text)


@given(data=st.data())
def test_rounding_moves_nothing_by_more_than_a_unit_of_the_frame(data):
    frame = FRAMES["relative"]
    for instance in data.draw(instances_for(STYLES["box_2_points"])):
        [near] = rounded([instance], frame)
        exact = frame.from_view(instance)
        assert near.box == pytest.approx(exact.box, abs=1.0)
        assert near.box[0] < near.box[2]
        assert near.box[1] < near.box[3]


@given(point=pixel)
def test_a_point_stays_in_its_pixel_where_the_frame_is_fine_enough(point):
    for name in ("pixels", "square", "relative"):
        frame = FRAMES[name]
        [near] = rounded([Instance(None, (point,))], frame)
        [(x, y)] = frame.to_view(near).positive
        assert (int(x), int(y)) == (int(point[0]), int(point[1]))


def test_an_instance_of_the_truth_is_stated_as_certain():
    instance = Instance((310, 160, 400, 280), ((350.5, 200.5), (360.5, 210.5)))
    assert '"confidence": 1.00}' in write_answer(
        [instance], FRAMES["pixels"], STYLES["box_2_points_confidence"], "Why."
    )


def test_an_answer_looks_as_the_prompts_example():
    style = STYLES["box_2_points_2_negative"]
    instance = Instance((310, 160, 400, 280), ((350.5, 200.5), (360.5, 210.5)), ((300.5, 150.5), (420.5, 290.5)))
    assert write_answer([instance], FRAMES["pixels"], style, "Why.") == (
        "<think>Why.</think>\n"
        '<answer>```json[{"bbox_2d": [310,160,400,280], "positive_points": [[350, 200], [360, 210]], '
        '"negative_points": [[300, 150], [420, 290]]}]```</answer>'
    )
    assert write_answer([], FRAMES["pixels"], style, "Why.").endswith("<answer>```json[]```</answer>")


def test_a_box_at_the_far_edge_keeps_an_extent_inside_of_the_frame():
    [near] = rounded([Instance((447.5, 299.5, 448.0, 300.0))], FRAMES["coarse"])
    assert near.box == (83, 83, 84, 84)
