"""Kampala's building footprints over a drone orthophoto, as samples: imagery unlike that which a calibration is made from."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shapely.geometry import shape

from evals.datasets import Sample, Truth
from t2s_agent.mask import Mask, union_of
from t2s_agent.regions.grid import masks_in_view
from t2s_agent.scene import View, Window, open_scene

SIDE = 512  # px of the windows that the two patches are cut into: whole tiles of theirs
QUESTIONS = ("Where are the buildings?", "Find every house.", "Mark the roofs.")


class Kampala:
    """Windows of ROOT/kampala.tif in which there is data, with the footprints of ROOT/kampala_buildings.geojson."""

    name = "kampala"

    def __init__(self, root: Path) -> None:
        listing = json.loads((root / "kampala_buildings.geojson").read_text(encoding="utf-8"))
        self.footprints = [shape(feature["geometry"]) for feature in listing["features"]]
        self.views: dict[str, View] = {}
        with open_scene(root / "kampala.tif") as scene:
            for y in range(0, scene.height - SIDE + 1, SIDE):
                for x in range(0, scene.width - SIDE + 1, SIDE):
                    view = scene.view(window=Window(x, y, SIDE, SIDE), max_size=SIDE)
                    if view.valid.mean() > 0.9:
                        self.views[f"kampala_{x}_{y}"] = view

    def view(self, sample: Sample) -> View:
        """The View of a sample, placed on Earth."""
        return self.views[sample.image_id]

    def objects(self, _: Sequence[Sample], view: View) -> dict[str, Sequence[Mask]]:
        """The footprints in a View, by category."""
        return {"building": [mask for mask in masks_in_view(self.footprints, view) if mask.area >= 12]}

    def samples(self) -> list[Sample]:
        """Three questions a window."""
        found = []
        for name, view in self.views.items():
            masks = tuple(self.objects((), view)["building"])
            truth = Truth(union_of(masks, view.height, view.width), masks)
            for number, question in enumerate(QUESTIONS):
                found.append(
                    Sample(
                        id=f"{name}/{number:02d}",
                        image_id=name,
                        question=question,
                        read_image=lambda view=view: view.rgb.copy(),  # type: ignore[misc]  # mypy infers no lambda with a default
                        read_truth=lambda truth=truth: replace(truth),  # type: ignore[misc]  # mypy infers no lambda with a default
                        metadata={"question_kind": f"name {number}", "category": "building", "source": name},
                    )
                )
        return found
