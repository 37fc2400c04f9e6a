"""A model's frame found out by a drawn picture, against servers that write in each of them."""

import pytest
from chat_server.data import chat_server, picture_size, resized, said, writes

from t2s_agent.cli.doctor import check_endpoint
from t2s_agent.errors import T2SError
from t2s_agent.prompting.endpoint import EndpointPrompter
from t2s_agent.prompting.finding import HEIGHT, SHAPES, WIDTH, find_frame
from t2s_agent.settings import load_settings

SHARES = [(x1 / WIDTH, y1 / HEIGHT, x2 / WIDTH, y2 / HEIGHT) for (x1, y1, x2, y2), _ in SHAPES.values()]
STATED = {
    "relative": {},
    "relative_yx": {"y_first": True, "key": "box_2d"},
    "unit": {"width": 1, "height": 1, "digits": 3},
    "unit_yx": {"width": 1, "height": 1, "digits": 3, "y_first": True},
    "percent": {"width": 100, "height": 100, "digits": 1},
    "bins_1024_yx": {"width": 1024, "height": 1024, "y_first": True},
}


def found(reply, model="some-model"):
    with chat_server(reply) as (url, _):
        prompter = EndpointPrompter(url, model, retries=0)
        try:
            return find_frame(prompter)
        finally:
            prompter.close()


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("frame", STATED)
def test_each_frame_is_told_from_the_others(frame, labelled):
    text = writes(SHARES, labels=list(SHAPES) if labelled else None, **STATED[frame])
    seen = found(lambda body: (200, said(text)))
    assert seen.fits == frame
    assert seen.off_px < 3 < 12 < min(seen.others.values())


def test_pixels_of_the_picture_that_was_sent():
    def reply(body):
        width, height = picture_size(body)
        return 200, said(writes(SHARES, width=width, height=height, labels=list(SHAPES)))

    seen = found(reply)
    assert seen.fits == "absolute"
    assert seen.size == pytest.approx(seen.sent, abs=4)


def test_a_server_that_resizes_the_picture_is_named_with_its_size():
    def reply(body):
        width, height = resized(body, most=256)
        return 200, said(writes(SHARES, width=width, height=height, labels=list(SHAPES)))

    with pytest.raises(T2SError, match="the server's") as caught:
        found(reply, "qwen2.5-vl")
    assert "max_pixels" in caught.value.fix


def test_boxes_by_width_and_height_are_seen_as_such():
    seen = found(lambda body: (200, said(writes(SHARES, labels=list(SHAPES), xywh=True))))
    assert (seen.fits, seen.box) == ("relative", "xywh")


@pytest.mark.parametrize("text", ["I see four rectangles.", "[]", writes(SHARES[:2]), writes([(0, 0, 1, 1)] * 4)])
def test_an_answer_that_shows_no_frame_says_so(text):
    with pytest.raises(T2SError) as caught:
        found(lambda body: (200, said(text)))
    assert caught.value.code == "answer_unparsable"


def test_the_doctor_prints_the_frame_and_what_to_write_down(tmp_path):
    reply = said(
        writes(SHARES, labels=list(SHAPES), y_first=True), used={"completion_tokens": 90, "prompt_tokens": 1500}
    )
    with chat_server(lambda body: (200, reply)) as (url, _):
        report = check_endpoint(load_settings(store=tmp_path), f"{url}#gemini-x")
    assert report["for t2s.toml"] == {"endpoint_frame": "relative_yx"}
    assert "1500 read" in report["frame"]["tokens"]
    assert 'frame = "relative_yx"' in report["for a file of your own (frames_file)"]["entry"]


def test_the_doctor_wants_a_url():
    with pytest.raises(T2SError, match="argument_invalid"):
        check_endpoint(load_settings(), "nano")
