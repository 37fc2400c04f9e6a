"""A result as small as one can be, and a file of it."""

from t2s_agent.results.record import ModelReference, Prompted, Record, SceneReference, new_id


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
