"""A scene that is too large for one read, without overviews, is read part by part."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import overview
from t2s_agent.pipeline.overview import overview_of
from t2s_agent.scene import Limits, Scene, Window, open_scene


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "scene.tif"
    rows, columns = np.mgrid[0:301, 0:407]
    pixels = np.stack([rows // 2, columns // 2, rows * 0 + 9]).astype(np.uint8)
    profile = {"width": 407, "height": 301, "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    with rasterio.open(path, "w", driver="GTiff", transform=Affine(1, 0, 0, 0, -1, 0), **profile) as file:
        file.write(pixels)
    return path


def refusing(monkeypatch, most):
    """One read of more than so many scene pixels is refused, as for files that are really large."""
    whole = Scene.view

    def view(self, *, window=None, bbox=None, max_size=1024, bands=None):
        width, height = (window.width, window.height) if window else (self.width, self.height)
        if width * height > most:
            raise T2SError("limit_exceeded", "this part takes too much to read", "Ask for a smaller part")
        return whole(self, window=window, bbox=bbox, max_size=max_size, bands=bands)

    monkeypatch.setattr(Scene, "view", view)


@pytest.mark.parametrize("window", [None, Window(13, 7, 350, 200)])
def test_parts_make_the_same_picture(image, monkeypatch, window):
    with open_scene(image, limits=Limits()) as scene:
        at_once = overview_of(scene, window, None, None, 100, in_parts=True)
        refusing(monkeypatch, 40_000)
        monkeypatch.setattr(overview, "_SIDE", 16)
        in_parts = overview_of(scene, window, None, None, 100, in_parts=True)
    assert in_parts.window == at_once.window
    assert max(in_parts.rgb.shape) <= 100
    assert in_parts.valid.all()
    assert abs(in_parts.rgb[-1, -1].astype(int) - at_once.rgb[-1, -1]).max() <= 6
    assert abs(in_parts.rgb[0, 0].astype(int) - at_once.rgb[0, 0]).max() <= 6
    middle = np.array(in_parts.rgb.shape[:2]) // 2
    same = np.array(at_once.rgb.shape[:2]) // 2
    assert abs(in_parts.rgb[tuple(middle)].astype(int) - at_once.rgb[tuple(same)]).max() <= 6
    corner = in_parts.georeference.to_lonlat(in_parts.width, in_parts.height)
    true = at_once.georeference.to_lonlat(at_once.width, at_once.height)
    assert np.ravel(corner) == pytest.approx(np.ravel(true), abs=1e-6)


def test_one_look_at_such_a_scene_is_refused(image, monkeypatch):
    with open_scene(image) as scene:
        refusing(monkeypatch, 40_000)
        with pytest.raises(T2SError, match="limit_exceeded"):
            overview_of(scene, None, None, None, 100, in_parts=False)
