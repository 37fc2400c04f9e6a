"""SAM 2 through transformers: tiny and of the real size, with random weights."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tiny_models.data import make_sam2
from transformers import Sam2Config, Sam2Model, Sam2VideoConfig, Sam2VideoModel, Sam3TrackerConfig, Sam3TrackerModel

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.view import View, Window
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.sam2 import Sam2Segmenter
from t2s_agent.segmenting.segmenter import at_once


def view_of(height=60, width=80, seed=0):
    rgb = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return View(rgb, np.ones((height, width), bool), Georeference(), Window(0, 0, width, height), None, (1, 2, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("sam2")
    make_sam2(where, side=192)
    return where


@pytest.fixture
def segmenter(folder):
    return Sam2Segmenter.load(folder)


INSTANCES = [
    Instance((10, 10, 40, 40), ((20, 20), (30, 30))),
    Instance((5, 30, 30, 55)),
    Instance(None, ((60, 20),), ((10, 50), (70, 50))),
]


def test_every_kind_of_instance_gets_a_mask_in_view_pixels(segmenter):
    masks = segmenter.decode(segmenter.embed([view_of()])[0], INSTANCES)
    assert (len(masks.masks), masks.height, masks.width) == (3, 60, 80)
    for mask in masks.masks:
        assert mask.pixels.dtype == bool
        assert mask.bounds[2] <= 80
        assert mask.bounds[3] <= 60
    assert ((masks.scores >= 0) & (masks.scores <= 1)).all()


def test_no_instances_give_no_masks(segmenter):
    assert segmenter.decode(segmenter.embed([view_of()])[0], []).masks == ()


def test_decoding_together_is_decoding_one_by_one(segmenter):
    embedding = segmenter.embed([view_of()])[0]
    together = segmenter.decode(embedding, INSTANCES)
    for index, instance in enumerate(INSTANCES):
        alone = segmenter.decode(embedding, [instance])
        assert np.mean(alone.masks[0].full(60, 80) == together.masks[index].full(60, 80)) > 0.999
        assert alone.scores[0] == pytest.approx(together.scores[index], abs=1e-4)


def test_masks_drawn_at_full_size_a_few_at_a_time_are_the_same(segmenter, monkeypatch):
    embedding, many = segmenter.embed([view_of()])[0], [Instance((i, i, 40 + i, 40)) for i in range(9)]
    together = segmenter.decode(embedding, many)
    monkeypatch.setattr("t2s_agent.segmenting.segmenter._FULL_SIZE_BYTES", 2 * 4 * 60 * 80)
    assert at_once(60, 80) == 2
    for one, other in zip(together.masks, segmenter.decode(embedding, many).masks, strict=True):
        assert (one.full(60, 80) == other.full(60, 80)).all()
    monkeypatch.setattr("t2s_agent.segmenting.segmenter._FULL_SIZE_BYTES", 1)
    assert at_once(60, 80) == 1


def test_an_instance_means_the_same_place_in_a_view_of_any_shape(segmenter):
    def plain(width):
        valid = np.ones((64, width), bool)
        return View(
            np.full((64, width, 3), 90, np.uint8), valid, Georeference(), Window(0, 0, width, 64), None, (1, 2, 3)
        )

    first = segmenter.decode(segmenter.embed([plain(64)])[0], [Instance((8, 8, 40, 50))])
    second = segmenter.decode(segmenter.embed([plain(128)])[0], [Instance((16, 8, 80, 50))])
    assert first.scores == pytest.approx(second.scores, abs=1e-4)


def test_a_view_is_embedded_once_for_many_questions(segmenter):
    for _ in range(3):
        segmenter.decode(segmenter.embed([view_of()])[0], INSTANCES)
    assert segmenter.embedded == 1
    segmenter.embed([view_of(seed=1)])
    assert segmenter.embedded == 2


def test_another_process_finds_the_embedding_on_disk(folder, tmp_path):
    first = Sam2Segmenter.load(folder, cache=EmbeddingCache(folder=tmp_path))
    masks = first.decode(first.embed([view_of()])[0], INSTANCES)
    second = Sam2Segmenter.load(folder, cache=EmbeddingCache(folder=tmp_path))
    again = second.decode(second.embed([view_of()])[0], INSTANCES)
    assert second.embedded == 0
    for one, other in zip(masks.masks, again.masks, strict=True):
        assert one.bounds == other.bounds
        assert (one.pixels == other.pixels).all()


def test_a_damaged_embedding_on_disk_is_made_again(folder, tmp_path):
    first = Sam2Segmenter.load(folder, cache=EmbeddingCache(folder=tmp_path))
    first.embed([view_of()])
    for file in tmp_path.iterdir():
        file.write_bytes(b"\x10" + file.read_bytes()[:50])
    second = Sam2Segmenter.load(folder, cache=EmbeddingCache(folder=tmp_path))
    second.embed([view_of()])
    assert second.embedded == 1


def test_a_folder_without_a_model_raises_an_error(tmp_path):
    with pytest.raises(T2SError) as caught:
        Sam2Segmenter.load(tmp_path)
    assert caught.value.code == "model_unavailable"


def test_weights_that_are_missing_are_not_replaced_by_random_numbers(folder, tmp_path):
    weights = load_file(folder / "model.safetensors")
    del weights[next(key for key in weights if "mask_decoder" in key)]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(folder / "config.json", tmp_path / "config.json")
    with pytest.raises(T2SError, match="lacks 1 weight") as caught:
        Sam2Segmenter.load(tmp_path)
    assert caught.value.code == "model_unavailable"


def test_a_model_of_another_kind_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    with pytest.raises(T2SError, match="llama"):
        Sam2Segmenter.load(tmp_path)


def test_loading_is_quiet(tmp_path, capfd):
    tiny_sam2_video(tmp_path)
    capfd.readouterr()
    Sam2Segmenter.load(tmp_path)  # transformers would draw a bar, and warn of the video model's extra parts
    assert capfd.readouterr() == ("", "")


def test_a_device_that_is_not_there_is_refused(folder):
    with pytest.raises(T2SError, match="no device") as caught:
        Sam2Segmenter.load(folder, device="tpu")
    assert caught.value.code == "model_unavailable"


def tiny_sam2_video(folder):
    """A random Sam2VideoModel, which is what Meta's files on the hub are: memory and all."""
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 16,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "global_attention_blocks": [3],
        "image_size": [256, 256],
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[64, 64], [32, 32], [16, 16]],
    }
    config = Sam2VideoConfig(
        vision_config=vision, prompt_encoder_config={"image_size": 256}, image_size=256, memory_attention_num_layers=1
    )
    Sam2VideoModel(config).save_pretrained(folder)


def tiny_sam3_tracker(folder):
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 224,
        "pretrain_image_size": 112,
        "window_size": 8,
        "global_attn_indexes": [1],
    }
    vision = {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "backbone_feature_sizes": [[64, 64], [32, 32], [16, 16]],
    }
    config = Sam3TrackerConfig(vision_config=vision, prompt_encoder_config={"image_size": 224})
    Sam3TrackerModel(config).save_pretrained(folder)


@pytest.mark.parametrize("make", [tiny_sam2_video, tiny_sam3_tracker])
def test_metas_own_video_files_and_sam_3s_tracker_are_loaded_by_what_their_config_says(tmp_path, make):
    make(tmp_path)
    segmenter = Sam2Segmenter.load(tmp_path)
    embedding = segmenter.embed([view_of()])[0]
    together = segmenter.decode(embedding, INSTANCES)
    assert len(together.masks) == 3
    alone = segmenter.decode(embedding, INSTANCES[2:])
    assert (alone.masks[0].full(60, 80) == together.masks[2].full(60, 80)).mean() > 0.999


def test_the_key_follows_pixels_window_weights_and_number_format(folder, tmp_path):
    def key(view, segmenter):
        return segmenter.embed([view])[0].key

    first, view = Sam2Segmenter.load(folder), view_of()
    weights = load_file(folder / "model.safetensors")
    weights[next(iter(weights))].view(-1)[0] += 1
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(folder / "config.json", tmp_path / "config.json")
    keys = [
        key(view, first),
        key(view_of(seed=1), first),
        key(replace(view, window=Window(5, 0, 80, 60)), first),
        key(view, Sam2Segmenter.load(tmp_path)),
        key(view, Sam2Segmenter.load(folder, dtype="bfloat16")),
    ]
    assert len(set(keys)) == 5
    assert key(view_of(), Sam2Segmenter.load(folder)) == keys[0]


@pytest.mark.slow
def test_a_model_of_hiera_smalls_size_goes_the_same_way(tmp_path):
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "blocks_per_stage": [1, 2, 11, 2],
        "global_attention_blocks": [7, 10, 13],
    }
    Sam2Model(Sam2Config(vision_config={"backbone_config": backbone})).save_pretrained(tmp_path)
    segmenter = Sam2Segmenter.load(tmp_path)
    masks = segmenter.decode(segmenter.embed([view_of(200, 300)])[0], INSTANCES)
    assert (len(masks.masks), masks.height, masks.width) == (3, 200, 300)


def test_small_views_encoded_together_equal_those_encoded_one_by_one(folder):
    views = [view_of(seed=seed) for seed in (0, 1, 0, 2)]
    together, alone = Sam2Segmenter.load(folder), Sam2Segmenter.load(folder)
    passes = []
    trunk = together._encode
    together._encode = lambda pixels: (passes.append(len(pixels)), trunk(pixels))[1]
    found = together.embed(views)
    assert passes == [3]
    assert together.embedded == 3
    for view, one in zip(views, found, strict=True):
        [other] = alone.embed([view])
        assert one.key == other.key
        for name, map_ in one.features.items():
            assert map_.shape == other.features[name].shape
            assert np.allclose(map_.numpy(), other.features[name].numpy(), atol=1e-5)
    together.embed(views)
    assert passes == [3]


def test_margins_hold_the_masks_area_between_them_and_no_instance_has_none(segmenter):
    masks = segmenter.decode(segmenter.embed([view_of()])[0], INSTANCES)
    areas = [mask.area for mask in masks.masks]
    assert all(inner <= area <= outer for (inner, outer), area in zip(masks.margins, areas, strict=True))
    known = [i for i, area in enumerate(areas) if area]
    expected = [(masks.margins[i, 1] - masks.margins[i, 0]) / areas[i] for i in known]
    assert masks.softness[known] == pytest.approx(expected)
    assert len(segmenter.decode(segmenter.embed([view_of()])[0], []).softness) == 0


def test_one_instance_of_each_of_many_embeddings_is_decoded_as_it_is_alone(segmenter):
    views = [view_of(120, 200, seed=0), view_of(90, 90, seed=1), view_of(120, 200, seed=2)]
    box, point = Instance((20, 20, 70, 60)), Instance(None, ((40, 40),))
    asked = [box, point, Instance((10, 10, 50, 90))]
    embeddings = segmenter.embed(views)
    together = segmenter.decode_each(embeddings, asked)
    for near, instance, found in zip(embeddings, asked, together, strict=True):
        alone = segmenter.decode(near, [instance])
        assert (found.height, found.width) == (near.height, near.width)
        assert np.allclose(found.scores, alone.scores, atol=1e-4)
        differing = found.masks[0].full(near.height, near.width) != alone.masks[0].full(near.height, near.width)
        assert differing.mean() < 0.001
        assert np.allclose(found.margins, alone.margins, atol=0.001 * near.height * near.width)
    assert segmenter.decode_each([], []) == []
