"""Files with an orientation tag: GDAL ignores it, and there is a warning."""

import numpy as np
import pytest
from PIL import Image

from t2s_agent.scene import open_scene
from t2s_agent.scene.orientation import orientation_of


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_a_picture_with_an_orientation_is_shown_as_stored_with_a_warning(tmp_path, name, orientation):
    # mistral-common#330 and sglang#33464: a person sees the picture upright, the model sees it sideways, and nobody says so
    exif = Image.Exif()
    exif[274] = orientation
    options = {"tiffinfo": {274: orientation}} if name == "a.tif" else {"exif": exif}
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / name, **options)
    with open_scene(tmp_path / name) as scene:
        view = scene.view()
        assert (view.width, view.height) == (40, 30)
        said = [text for text in scene.warnings if "orientation" in text]
        assert len(said) == (orientation != 1)
        assert all(f"orientation {orientation}" in text for text in said)


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_without_exif_there_is_no_warning(tmp_path, name):
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / name)
    with open_scene(tmp_path / name) as scene:
        assert not any("orientation" in text for text in scene.warnings)


@pytest.mark.parametrize(
    "head", [b"\x89PNG\r\n\x1a\n\x00\x00\x00\x04eXIfII", b"RIFF\x10\x00\x00\x00WEBPEXIF\x04\x00\x00\x00II"]
)
def test_a_truncated_exif_gives_no_orientation(tmp_path, head):
    (tmp_path / "cut").write_bytes(head)
    with (tmp_path / "cut").open("rb") as file:
        assert orientation_of(file.fileno(), "PNG" if head[1:4] == b"PNG" else "WEBP", {}) == 1
