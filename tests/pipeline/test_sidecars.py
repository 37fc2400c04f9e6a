"""A result whose image was read with files beside it is looked at again only by somebody who trusts them."""

import shutil

import numpy as np
import pytest
import rasterio

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Refinement, describe, refine, replay, segment
from t2s_agent.pipeline.engine import Engine

TANKS = "Where are the storage tanks?"


def changed(engine, **settings):
    return Engine(engine.settings.model_copy(update=settings), engine.models, engine.store)


def test_a_mask_beside_an_image_counts_where_it_is_trusted_and_the_record_says_so(engine, scene, tmp_path):
    image = tmp_path / "harbour.tif"
    shutil.copyfile(scene, image)
    with rasterio.open(image) as file:
        height, width = file.shape
    with rasterio.open(f"{image}.msk", "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8") as file:
        file.write(np.repeat(np.uint8([[255, 0]]), width // 2, 1).repeat(height, 0)[None])
    plain, trusting = segment(engine, image, TANKS), segment(changed(engine, trust_sidecars=True), image, TANKS)
    assert (plain.scene.valid_share, plain.scene.trusted_sidecars) == (1, False)
    assert (trusting.scene.valid_share, trusting.scene.trusted_sidecars) == (0.5, True)
    assert "harbour.tif.msk beside the image: read, as trusted" in trusting.warnings

    how = Refinement(drop=(1,))
    for again in (
        lambda engine: refine(engine, trusting.id, how),
        lambda engine: describe(engine, result_id=trusting.id),
        lambda engine: replay(engine, trusting.id),
    ):
        with pytest.raises(T2SError) as caught:
            again(engine)
        assert "not trusted now" in caught.value.what
        again(changed(engine, trust_sidecars=True))
    assert refine(changed(engine, trust_sidecars=True), plain.id, how).scene.trusted_sidecars is False
