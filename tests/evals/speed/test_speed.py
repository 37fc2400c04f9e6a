"""The speed benchmark: every row names its alternative, and both sides do the same work."""

import json
import sys

import numpy as np
import pytest

from evals.speed import __main__ as command
from evals.speed import models, regions
from evals.speed.draw_masks import draw
from evals.speed.pipeline import _peak_mb, changed_demo
from evals.speed.rows import Row, as_json, as_text, time_alternately
from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.segmenting.sam2 import Sam2Segmenter

SMALL = {
    "vision_config": {
        "backbone_config": {
            "model_type": "sam2_hiera_det_model", "hidden_size": 16, "num_attention_heads": 1, "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [16, 32, 64, 128], "num_attention_heads_per_stage": [1, 2, 4, 8],
            "global_attention_blocks": [3], "image_size": [256, 256],
        },
        "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[64, 64], [32, 32], [16, 16]],
    },
    "prompt_encoder_config": {"image_size": 256},
}  # fmt: skip


def test_a_ratio_is_the_median_over_turns_not_of_medians():
    row = Row.of("start", "a thing", [1.0, 10.0, 3.0], "another", [2.0, 20.0, 1.0])  # 0.5, 0.5 and 3 times
    assert (row.ours, row.theirs, row.ratio, row.runs) == (3.0, 2.0, 0.5, 3)
    assert "another" in as_text([row])
    stored = json.loads(json.dumps(as_json([row])))
    assert stored["rows"][0]["ratio"] == 0.5
    assert {"cores", "torch", "transformers"} <= set(stored["machine"])


def test_both_sides_run_alternately_after_one_run_that_is_not_counted():
    order = []
    ours, theirs = time_alternately(lambda: order.append("a"), lambda: order.append("b"), 3)
    assert order == ["a", "b"] * 4
    assert (len(ours), len(theirs)) == (3, 3)


def test_an_unknown_part_or_a_missing_folder_is_refused_before_any_measurement(monkeypatch, capsys, tmp_path):
    for arguments, said in (
        (["regoins"], "no part regoins"),
        (["--json", str(tmp_path / "no" / "x.json")], "is not a folder"),
    ):
        monkeypatch.setattr(sys, "argv", ["speed", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


def test_the_command_prints_a_table_and_writes_json(monkeypatch, capsys, tmp_path):
    def measure(folder, times):
        assert folder.is_dir()
        return [Row.of("regions", "masks", [1.0] * times, "another way", [2.0] * times)]

    monkeypatch.setattr(command, "PARTS", {"regions": (measure, 4)})
    monkeypatch.setattr(sys, "argv", ["speed", "--json", str(tmp_path / "speed.json")])
    command.main()
    assert "another way" in capsys.readouterr().out
    assert json.loads((tmp_path / "speed.json").read_text())["rows"][0]["runs"] == 4


def test_regions_and_their_alternative_measure_the_same_objects():
    alone = draw(1, 200, seed=3)[0]
    mask, view = Mask.of(alone.pixels, alone.x, alone.y), regions.view_of(200)
    [region] = build_regions([mask], view).regions
    outline, area, _ = regions.polygon_by_gdal(mask, 200)
    assert area == pytest.approx(region.area.value, rel=0.01)
    assert outline.intersects(region.geometry)


def test_embedding_and_decoding_and_their_alternative_draw_the_same_masks(tmp_path):
    saved = models.saved_sam2(tmp_path / "sam2", **SMALL)
    ours, plain = Sam2Segmenter.load(saved, device="cpu"), models.TransformersAlone(saved, side=256)
    view, some = models.picture(0, side=256), models.prompts(5, side=256)
    drawn = ours.decode(ours.embed([view])[0], some)
    others = plain.decode(plain.embed(view.rgb), view.rgb, some)
    assert any(0 < mask.area < 256 * 256 for mask in drawn.masks)
    for mask, other in zip(drawn.masks, others, strict=True):
        whole = np.zeros((256, 256), np.uint8)
        mask.paint(whole, 1)
        assert np.mean(whole.astype(bool) == other) > 0.99


def test_a_changed_demo_scene_has_other_pixels_and_the_same_georeference(tmp_path):
    import rasterio

    with rasterio.open(changed_demo(0, tmp_path)) as first, rasterio.open(changed_demo(1, tmp_path)) as second:
        assert first.transform == second.transform
        assert 0.05 < np.mean(first.read() != second.read()) < 0.3


def test_peak_memory_is_that_of_the_process_and_a_failed_process_is_reported():
    assert _peak_mb("x = bytearray(100 * 2**20)") > _peak_mb("") + 80
    with pytest.raises(RuntimeError, match="no such thing"):
        _peak_mb("raise SystemExit('no such thing')")
