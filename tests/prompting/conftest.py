"""Small Views, and tiny random models made once a session."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.view import View, Window


@pytest.fixture(scope="session")
def view_of() -> Callable[..., View]:
    """Makes a View of noise: `view_of(width, height, seed=0)`."""

    def make(width: int, height: int, seed: int = 0) -> View:
        rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        valid = np.ones((height, width), bool)
        return View(rgb, valid, Georeference(), Window(0, 0, width, height), None, (1, 2, 3))

    return make


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory) -> dict[str, Path]:
    """Folders of random models by the name of their family."""
    made_by = Path(__file__).parents[1] / "data" / "tiny_models" / "data.py"
    spec = importlib.util.spec_from_file_location("tiny_models_data", made_by)
    data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(data)
    home = tmp_path_factory.mktemp("models")
    return {
        "qwen2_5_vl": data.make_qwen2_5_vl(home / "tiny-25"),
        "qwen3_vl": data.make_qwen3_vl(home / "tiny-3"),
        "internvl": data.make_internvl(home / "tiny-internvl"),
    }
