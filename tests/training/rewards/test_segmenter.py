"""The segmenter of a recipe and its store of embeddings."""

import numpy as np
import pytest
from tiny_models.data import make_sam2

from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.segmenting.sam2 import Sam2Segmenter
from training.recipe import Segmenter
from training.rewards.segmenter import open_segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_sam2(tmp_path_factory.mktemp("sam2"))


def views(count):
    rng = np.random.default_rng(0)
    return [Looking().view(rng.integers(0, 255, (60, 80, 3), np.uint8)) for _ in range(count)]


def embedded_by(chosen, count):
    """How many of so many Views a new segmenter embeds."""
    segmenter = open_segmenter(chosen, device="cpu")
    assert isinstance(segmenter, Sam2Segmenter)
    segmenter.embed(views(count))
    return segmenter.embedded


def test_a_second_run_finds_the_embeddings_of_the_first(folder, tmp_path):
    chosen = Segmenter(name=str(folder), embeddings=tmp_path)
    for embedded in (3, 0):
        assert embedded_by(chosen, 3) == embedded


def test_the_store_keeps_the_first_images_within_its_bytes(folder, tmp_path):
    [first] = open_segmenter(Segmenter(name=str(folder)), device="cpu").embed(views(1))
    chosen = Segmenter(name=str(folder), embeddings=tmp_path, embedding_bytes=int(2.5 * first.nbytes))
    for embedded in (5, 3):
        assert embedded_by(chosen, 5) == embedded
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2.6 * first.nbytes


def test_an_unknown_segmenter_is_refused_by_name():
    with pytest.raises(T2SError, match="there is no segmenter 'nan'"):
        open_segmenter(Segmenter(name="nan"))
