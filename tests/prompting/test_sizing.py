"""What a server does to a picture's size, from the numbers alone and from its count of tokens."""

import pytest
from chat_server.data import chat_server, picture_size, resized, said, writes
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.prompting.endpoint import EndpointPrompter
from t2s_agent.prompting.frames import Size, smart_size, stable_size
from t2s_agent.prompting.sizing import ratio_of

SHARES = [(0.2, 0.3, 0.4, 0.6), (0.55, 0.1, 0.8, 0.35)]
LIMITS = [(4, 16384), (1024, 4096), (4, 256), (4, 512), (256, 1280), (4, 1024), (2048, 16384), (4, 768)]


def near(instances, view, shares=SHARES, off=6):
    want = [(x1 * view[0], y1 * view[1], x2 * view[0], y2 * view[1]) for x1, y1, x2, y2 in shares]
    return [i.box for i in instances] == [pytest.approx(box, abs=off) for box in want]


def asked(reply, view_of, view=(512, 512), model="Qwen2.5-VL-7B-Instruct", times=1, **options):
    with chat_server(reply) as (url, seen):
        prompter = EndpointPrompter(url, model, retries=0, **options)
        try:
            answers = [prompter.answer([view_of(*view)], ["tanks"])[0] for _ in range(times)]
        finally:
            prompter.close()
    return answers[-1], seen


def pixels(least, most, tokens=False, patch=28, shares=SHARES):
    """A server with these limits whose model writes pixels of the resized picture."""

    def reply(body):
        width, height = resized(body, least, most, patch)
        used = {"completion_tokens": 50}
        if tokens:
            used["prompt_tokens"] = width * height // patch**2 + 280
        return 200, said(writes(shares, width=width, height=height), used=used)

    return reply


@pytest.mark.parametrize("model", ["Qwen2.5-VL-7B-Instruct", "some-model", "think2seg-rs-3b"])
@pytest.mark.parametrize("limits", LIMITS)
def test_boxes_are_in_the_right_place_whatever_the_server_does_to_the_picture(view_of, limits, model):
    answer, _ = asked(pixels(*limits), view_of, model=model)
    assert near(answer.instances, (512, 512)), (answer.instances, answer.warnings)


@pytest.mark.parametrize("view", [(1024, 256), (64, 200), (900, 1024)])
@pytest.mark.parametrize("limits", [(1024, 4096), (4, 256), (4, 16384)])
def test_of_every_shape_too(view_of, view, limits):
    answer, _ = asked(pixels(*limits), view_of, view=view)
    assert near(answer.instances, view), (answer.instances, answer.warnings)


def test_a_server_that_counts_the_right_tokens_is_asked_once(view_of):
    _, seen = asked(pixels(4, 16384, tokens=True), view_of, times=2)
    assert len(seen) == 2


def test_a_server_that_counts_too_few_is_found_out_and_later_pictures_fit_it(view_of):
    answer, seen = asked(pixels(4, 256, tokens=True), view_of, times=2)
    assert near(answer.instances, (512, 512))
    assert len(seen) == 7  # the answer, five other sizes, and the next answer
    width, height = picture_size(seen[-1])
    assert width * height <= 256 * 28 * 28


def test_what_the_server_made_of_the_picture_is_said(view_of):
    answer, _ = asked(pixels(4, 256), view_of)
    assert any("448 x 448" in warning for warning in answer.warnings)


def test_an_unknown_model_whose_numbers_do_not_follow_the_size_is_read_as_relative(view_of):
    answer, _ = asked(lambda body: (200, said(writes(SHARES))), view_of, model="some-model")
    assert near(answer.instances, (512, 512))
    assert any("0 to 1000" in warning for warning in answer.warnings)


@pytest.mark.parametrize(("model", "width"), [("Qwen2.5-VL-7B-Instruct", 1000), ("some-model", 2000)])
def test_numbers_that_do_not_follow_the_size_and_may_lie_anywhere_are_refused(view_of, model, width):
    with pytest.raises(T2SError, match="for every picture size") as caught:
        asked(lambda body: (200, said(writes(SHARES, width=width, height=width))), view_of, model=model)
    assert (caught.value.code, "endpoint_frame" in caught.value.fix) == ("answer_unparsable", True)


@pytest.mark.parametrize("options", [{"frame": "absolute"}, {"model": "think2seg-rs-3b"}])
def test_a_persons_word_and_a_model_of_one_picture_size_are_believed_with_a_warning(view_of, options):
    answer, _ = asked(lambda body: (200, said(writes(SHARES, width=800, height=800))), view_of, **options)
    assert answer.status == "found"
    assert any("do not follow the picture's size" in warning for warning in answer.warnings)


def test_answers_that_name_other_objects_leave_the_size_unchecked_and_said(view_of):
    def reply(body):
        width, height = picture_size(body)
        shares = SHARES if width > 900 else [(0.9, 0.9, 0.95, 0.95)]
        return 200, said(writes(shares, width=width, height=height))

    answer, _ = asked(reply, view_of)
    assert answer.status == "found"
    assert any("could not be checked" in warning for warning in answer.warnings)


def test_a_picture_that_was_resized_nobody_knows_how_is_refused(view_of):
    def reply(body):
        width = {980: 700, 336: 500}.get(picture_size(body)[0], picture_size(body)[0] // 7)
        return 200, said(writes(SHARES, width=width, height=width))

    with pytest.raises(T2SError, match="could not be determined") as caught:
        asked(reply, view_of)
    assert "endpoint_frame" in caught.value.fix


def test_a_failing_check_does_not_lose_the_answer(view_of, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)

    def reply(body):
        width, height = picture_size(body)
        return (200, said(writes(SHARES, width=width, height=height))) if width > 900 else (500, {"error": "too small"})

    answer, _ = asked(reply, view_of)
    assert near(answer.instances, (512, 512))
    assert any("could not be checked" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    ("model", "how"),
    [
        ("Kimi-VL-A3B", {"width": 1, "height": 1, "digits": 3}),
        ("qwen2.5vl", {"width": 1, "height": 1, "digits": 3}),
        ("gemini-2.5-flash", {"y_first": True, "key": "box_2d"}),
        ("gemini-2.5-flash", {"y_first": True}),
        ("GLM-4.5V", {}),
        ("InternVL3-8B", {}),
        ("Step3-VL", {}),
        ("LFM2.5-VL-1.6B", {"width": 1, "height": 1, "digits": 3}),
        ("Qwen3-VL-8B", {"width": 1, "height": 1, "digits": 3}),
    ],
)
def test_families_are_read_in_their_own_frame(view_of, model, how):
    answer, _ = asked(lambda body: (200, said(writes(SHARES, **how))), view_of, view=(900, 400), model=model)
    assert near(answer.instances, (900, 400)), (answer.instances, answer.warnings)


def test_numbers_in_no_frame_are_refused_with_the_setting(view_of):
    for model, text in (
        ("Qwen3-VL-8B", "[[100,200,3000,4000]]"),
        ("Kimi-VL", "[[100,200,300,400]]"),
        ("gemini", "[[5,5,2000,90]]"),
    ):
        answer, _ = asked(lambda body, text=text: (200, said(text)), view_of, model=model)
        assert answer.status == "unparsable"
        assert "endpoint_frame" in answer.fix


@settings(max_examples=60)
@given(st.integers(16, 4000), st.integers(16, 4000))
def test_pictures_are_left_alone_by_servers_with_the_usual_limits(width, height):
    if max(width, height) / min(width, height) > 20:
        return
    for factor in (28, 32):
        size = stable_size(Size(width, height), factor, 1024 * 784, 1280 * 784)
        for least, most in ((56 * 56, 1280 * 784), (1024 * 784, 4096 * 784), (256 * 784, 1280 * 784)):
            assert smart_size(size, factor, least, most) == size


@given(st.floats(0.3, 1.9), st.permutations(range(4)))
def test_the_ratio_of_two_answers_does_not_depend_on_their_order(ratio, order):
    boxes = [(10, 10, 60, 50), (100, 20, 180, 90), (30, 150, 90, 220), (200, 200, 260, 280)]
    larger = [tuple(n * ratio for n in boxes[i]) for i in order]
    assert ratio_of(larger, boxes) == pytest.approx((ratio, ratio), rel=0.01)
