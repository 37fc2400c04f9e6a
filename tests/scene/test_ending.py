"""A PNG or JPEG that was cut off is refused; GDAL would fill the rest of its picture with black or grey."""

import os

import numpy as np
import pytest
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene
from t2s_agent.scene.ending import ends_early

PIXELS = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
KINDS = {
    "a.png": {},
    "a.jpg": {"quality": 90},
    "progressive.jpg": {"progressive": True},
    "restarts.jpg": {"restart_marker_blocks": 2},
}


@pytest.fixture(params=KINDS)
def whole(tmp_path, request):
    path = tmp_path / request.param
    Image.fromarray(PIXELS).save(path, **KINDS[request.param])
    return path


def thumbnail_inside(path):
    """A JPEG whose EXIF block holds another whole JPEG, as cameras write them."""
    small = path.with_name("small.jpg")
    Image.fromarray(PIXELS[:9, :9]).save(small)
    Image.fromarray(PIXELS).save(path, exif=b"Exif\x00\x00" + small.read_bytes())
    return path


def driver(path):
    return "PNG" if path.suffix == ".png" else "JPEG"


def is_cut(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return ends_early(descriptor, driver(path))
    finally:
        os.close(descriptor)


def test_a_whole_file_opens_and_may_have_something_behind_it(whole):
    assert open_scene(whole).width == 70
    whole.write_bytes(whole.read_bytes() + b"behind the picture")
    assert open_scene(whole).width == 70


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_refused_by_name(whole, share):
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(T2SError, match=f"{whole.name} is truncated") as refused:
        open_scene(whole)
    assert refused.value.code == "image_unreadable"


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture(tmp_path):
    path = thumbnail_inside(tmp_path / "camera.jpg")
    assert not is_cut(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert is_cut(path)


def test_every_shorter_file_is_cut(whole):
    content = whole.read_bytes()
    for length in range(40, len(content), 97):
        whole.write_bytes(content[:length])
        assert is_cut(whole), length
