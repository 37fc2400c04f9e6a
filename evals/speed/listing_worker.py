"""Fills a store and lists it, with whichever t2s_agent is on PYTHONPATH, and prints the seconds as JSON.

Run as a file: `python listing_worker.py FOLDER COUNT`. Each list is that of a store opened at this moment, as a command does it.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from t2s_agent.results import store as stores
from t2s_agent.results.record import ModelReference, Prompted, Record, RegionRecord, SceneReference

_REGIONS = 30  # in each result: a record of 13 kB
_INDEX = ".index.jsonl"


def a_result(n: int) -> Record:
    """A result of ordinary size, as both builds write it."""
    scene = SceneReference(
        name="harbour.tif", path="harbour.tif", width=1200, height=1000, window=(0, 0, 1200, 1000), view_size=(1024, 853),
        bands=(1, 2, 3), max_size=1024, pixels_sha256="0" * 64, valid_share=1.0,
    )  # fmt: skip
    region: dict[str, Any] = {"area": 314.16, "area_pm": 9.5, "perimeter": 62.8, "perimeter_pm": 2.1}
    regions = tuple(
        RegionRecord(id=i + 1, **region, centroid=(4.3, 51.9), bbox=(4.29, 51.89, 4.31, 51.91)) for i in range(_REGIONS)
    )
    nano = ModelReference(name="nano")
    return Record(
        id=f"r_{n:08x}abcd", operation="segment", query=f"storage tanks {n}", status="found", scene=scene, prompter=nano,
        segmenter=nano, prompted=Prompted(raw="x" * 4_000, thinking="y" * 1_000), located=True, unit_area="m2",
        unit_length="m", method="geodesic", total_area=9424.8, total_area_pm=52.0, regions=regions,
    )  # fmt: skip


def seconds(folder: Path, count: int) -> dict[str, float]:
    """How long it takes to open the store and list all of it."""
    began, used = time.perf_counter(), time.process_time()
    listed = stores.ResultStore(folder).listed().results
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}
    if len(listed) != count:
        sys.exit(f"{len(listed)} results are listed, not {count}")
    return took


def a_file(path: Path) -> None:
    """A file of one byte."""
    path.write_bytes(b"x")


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    # neither what a disk takes to flush is measured, nor the look at all results after each save
    with (
        patch.object(stores, "_flush", lambda _: None),
        patch.object(stores.ResultStore, "_drop_old", lambda *_, **__: None),
    ):
        store = stores.ResultStore(folder)
        for n in range(count):
            store.save(a_result(n), dict.fromkeys(("mask.tif", "regions.geojson"), a_file))
    times = [seconds(folder, count) for _ in range(3)]
    (folder / _INDEX).unlink(missing_ok=True)
    print(json.dumps({"times": times, "first": seconds(folder, count)}))


if __name__ == "__main__":
    main()
