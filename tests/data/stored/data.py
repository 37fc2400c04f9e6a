"""A result as small as one can be, and a file of it."""

from views.data import mask_of, view_of

from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.frame import Frame
from t2s_agent.regions.geojson import feature_collection, text_of
from t2s_agent.regions.picture import draw_picture
from t2s_agent.regions.raster import write_mask
from t2s_agent.results.record import (
    ModelReference,
    Prompted,
    Record,
    SceneReference,
    about,
    measures_of,
    new_id,
)


def a_result(**changes):
    scene = SceneReference(
        name="a.tif", path="a.tif", width=4, height=4, window=(0, 0, 4, 4), view_size=(4, 4), bands=(1, 2, 3),
        max_size=1024, pixels_sha256="0", valid_share=1.0,
    )  # fmt: skip
    nano = ModelReference(name="nano")
    given = {
        "id": new_id(), "operation": "segment", "query": "q", "status": "empty", "scene": scene, "prompter": nano,
        "segmenter": nano, "prompted": Prompted(), "located": True, "unit_area": "m2", "unit_length": "m", "method": "m",
        "total_area": 0.0, "total_area_pm": 0.0,
    }  # fmt: skip
    return Record(**(given | changes))


def words(text):
    return lambda path: path.write_text(text, encoding="utf-8")


def stored_result(folder, boxes, *, view=None, query="Where are the tanks?", **changes):
    """A record, and the folder of its files, as the pipeline stores them: a region a box (x1, y1, x2, y2) of the View's pixels."""
    view = view if view is not None else view_of()
    regions = build_regions([Mask.of(mask_of(view, *each)) for each in boxes], view)
    changes = {"created_utc": "2026-11-28T01:00:00.000+00:00"} | changes
    record = a_result(query=query, status="found" if boxes else "empty", **measures_of(regions), **changes)
    folder.mkdir(parents=True)
    write_mask(regions.labels, view, folder / "mask.tif")
    lines = text_of(feature_collection(regions, about(record), Frame.of_view(view)))
    (folder / "regions.geojson").write_text("".join(lines), encoding="utf-8")
    draw_picture(view, regions).save(folder / "preview.png")
    (folder / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
    return record, folder
