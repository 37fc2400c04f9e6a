"""Results that an earlier version stored (commit 9f8d5b9: ids of 16 bits, outlines without attributes of their question)."""

import json
from pathlib import Path

import numpy as np
import pytest
from rasters.data import geotiff

from t2s_agent.pipeline import Engine, Refinement, describe, refine, replay
from t2s_agent.pipeline.loading import region_set
from t2s_agent.settings import load_settings

STORED = Path(__file__).parent.parent / "data" / "stored" / "of_9f8d5b9"
SAID = '[{"bbox_2d":[2,3,12,20],"label":"tank"},{"bbox_2d":[15,5,30,25],"label":"tank"}]'


@pytest.fixture
def engine(tmp_path):
    """An engine with that version's store, its image and its script."""
    geotiff(tmp_path / "a.tif")
    script = [{"question": "*", "raw": f"<think>two tanks</think><answer>```json{SAID}```</answer>"}]
    (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
    for folder in STORED.iterdir():
        record = (folder / "record.json").read_text(encoding="utf-8").replace("FOLDER", str(tmp_path))
        place = tmp_path / "store" / json.loads(record)["id"]
        place.mkdir(parents=True)
        (place / "record.json").write_text(record, encoding="utf-8")
        for name in ("mask.tif", "regions.geojson"):
            (place / name).write_bytes((folder / name).read_bytes())
    settings = load_settings(store=tmp_path / "store", prompter=f"scripted:{tmp_path / 'script.json'}", segmenter="box")
    return Engine.open(settings)


def test_they_are_listed_opened_and_described(engine):
    refined, segmented = (engine.store.load(each.id) for each in engine.store.listed().results)
    assert refined.parents == (segmented.id,)
    assert [region.id for region in segmented.regions] == [1, 2]
    labels = region_set(engine, segmented).labels
    assert (labels.dtype, np.unique(labels, return_counts=True)[1].tolist()) == (np.int32, [1200 - 170 - 300, 170, 300])
    measured = describe(engine, result_id=segmented.id).measured
    assert measured["total_area_m2"] == segmented.total_area == pytest.approx(470 / 4, rel=1e-3)


def test_they_are_refined(engine):
    segmented = engine.store.listed().results[1].id
    made = refine(engine, segmented, Refinement(min_area_m2=60))
    assert [(region.id, region.was) for region in made.regions] == [(1, 2)]
    assert made.left_out == {"min_area_m2": 1}


def test_they_are_done_again_with_the_same_outcome(engine):
    for summary in engine.store.listed().results:
        steps = replay(engine, summary.id).steps
        assert [step.name for step in steps if not step.same and step.name != "code version"] == []
