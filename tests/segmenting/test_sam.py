"""The first Segment Anything Model, with a random checkpoint of its smallest size."""

import sys

import numpy as np
import pytest
import torch
from views.data import view_of

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.sam import SamSegmenter, _registry
from t2s_agent.segmenting.segmenter import Embedding

INSTANCES = [Instance((10, 8, 30, 30), ((20, 20),)), Instance(None, ((40, 20),), ((5, 5),)), Instance((2, 2, 50, 38))]


def small():
    """The same classes, 128 px and two layers: looking at a picture with ViT-B takes half a minute on a CPU."""
    _registry()
    modeling = sys.modules["segment_anything.modeling"]
    encoder = modeling.ImageEncoderViT(
        img_size=128,
        embed_dim=32,
        depth=2,
        num_heads=2,
        out_chans=32,
        window_size=4,
        global_attn_indexes=(1,),
        use_rel_pos=True,
    )
    prompts = modeling.PromptEncoder(
        embed_dim=32, image_embedding_size=(8, 8), input_image_size=(128, 128), mask_in_chans=16
    )
    layers = modeling.TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=4)
    decoder = modeling.MaskDecoder(transformer_dim=32, transformer=layers, num_multimask_outputs=3)
    return modeling.Sam(encoder, prompts, decoder).eval()


def test_every_kind_of_instance_gets_a_mask_and_a_view_is_embedded_once():
    segmenter, view = SamSegmenter(small(), name="small", digest="0", cache=EmbeddingCache()), view_of()
    embedding = segmenter.embed([view])[0]
    masks = segmenter.decode(embedding, INSTANCES)
    assert (len(masks.masks), masks.height, masks.width) == (3, view.height, view.width)
    assert ((masks.scores >= 0) & (masks.scores <= 1)).all()
    alone = segmenter.decode(embedding, INSTANCES[1:2])
    first, second = (mask.full(view.height, view.width) for mask in (alone.masks[0], masks.masks[1]))
    assert np.mean(first == second) > 0.999
    assert segmenter.embed([view])[0] is embedding
    assert segmenter.decode(embedding, []).masks == ()


@pytest.mark.slow
def test_a_checkpoint_file_of_vit_b_is_recognised_by_its_weights(tmp_path):
    path = tmp_path / "sam_vit_b_random.pth"
    torch.save(_registry()["vit_b"]().state_dict(), path)
    segmenter = SamSegmenter.load(path)
    assert (segmenter.name, len(segmenter.digest)) == (path.name, 64)
    blank = Embedding("k", 40, 60, {"image": torch.zeros(1, 256, 64, 64)}, 0)
    assert len(segmenter.decode(blank, INSTANCES).masks) == 3


def test_a_missing_and_a_wrong_file_raise_an_error(tmp_path):
    with pytest.raises(T2SError, match="no file") as missing:
        SamSegmenter.load(tmp_path / "none.pth")
    (tmp_path / "odd.pth").write_bytes(b"no checkpoint")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("odd.pth", "other.pth"):
        with pytest.raises(T2SError, match="not a readable checkpoint") as caught:
            SamSegmenter.load(tmp_path / name)
        assert caught.value.code == missing.value.code == "model_unavailable"
