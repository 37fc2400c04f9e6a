"""100,000 regions are a normal result: stored, described and listed with the memory of a few."""

import json
import os
import subprocess
import sys

import pytest

STORED = """
import json, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import shapely
from views.data import view_of
from t2s_agent.pipeline import Engine, describe
from t2s_agent.pipeline.saving_large import store_large_result
from t2s_agent.pipeline.steps import Clock, no_progress
from t2s_agent.regions.build import measured_all
from t2s_agent.regions.mask_blocks import LabelBlock
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import ModelReference, Prompted, SceneReference
from t2s_agent.scene import View, Window
from t2s_agent.settings import load_settings

folder, count, apart, side = Path(sys.argv[1]), int(sys.argv[2]), 16, 5120
row = side // apart
small = view_of(512, 512)
grid = View.without_pixels(side, side, small.georeference, Window(0, 0, side, side), 0.5, (1, 2, 3))
overview = replace(small, window=grid.window)

def blocks():
    for top in range(0, side, 2048):
        for left in range(0, side, 2048):
            y, x = np.ogrid[top : min(top + 2048, side), left : min(left + 2048, side)]
            ids = y // apart * row + x // apart + 1
            inside = (y % apart < 9) & (x % apart < 9) & (ids <= count)
            yield LabelBlock(left, top, np.where(inside, ids, 0).astype(np.int32))

def regions():
    (one,) = measured_all([shapely.box(0, 0, 9, 9)], grid)
    yield from (replace(one, id=id_, label="tank") for id_ in range(1, count + 1))

def memory():
    # VmHWM, not getrusage: a child process of a larger process starts with the ru_maxrss of its parent
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmHWM"))

engine = Engine.open(load_settings(store=folder / "store", prompter="nano", segmenter="box"))
nano = ModelReference(name="nano")
reference = SceneReference(
    name="a.tif", path="a.tif", width=side, height=side, window=grid.window, view_size=(side, side), bands=(1, 2, 3),
    max_size=side, pixels_sha256="0", valid_share=1.0, view_area=side * side / 4,
)
before = memory()
record = store_large_result(
    engine, grid, overview, reference, blocks(), regions(), most_id=count, query="tanks", operation="segment",
    parameters={}, prompter=nano, segmenter=nano, prompted=Prompted(), warnings=[], clock=Clock(), progress=no_progress,
).record
place = engine.store.folder / record.id
told = describe(engine, result_id=record.id, sort_by="area", first=3, columns=["label"])
pages = describe(engine, result_id=record.id, skip=count - 20, most=20, facts=False)
stored = memory()
print(json.dumps({
    "before": before, "stored": stored, "count": record.region_count, "inline": len(record.regions),
    "measured": told.measured, "first": told.table.rows, "last": [each[0] for each in pages.table.rows],
    "indexed": len(StoredRegions(place / "regions.geojson")),
}))
"""


def stored(folder, count):
    folder.mkdir()
    paths = os.pathsep.join(each for each in sys.path if each)
    command = [sys.executable, "-c", STORED, str(folder), str(count)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_regions(tmp_path):
    few, many = stored(tmp_path / "few", 21_000), stored(tmp_path / "many", 100_000)
    assert (many["count"], many["indexed"], many["inline"]) == (100_000, 100_000, 1_000)
    assert many["measured"]["count"] == 100_000
    assert many["measured"]["total_area_m2"] == pytest.approx(100_000 * 81 / 4, rel=2e-3)
    assert many["last"] == list(range(99_981, 100_001))
    assert len(many["first"]) == 3
    assert many["stored"] - few["stored"] < 60  # MB: five times the regions
    assert many["stored"] < 400
