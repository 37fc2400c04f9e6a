"""Regions with overlapping masks, and regions in older records."""

import json

from views.data import cropped, mask_of, view_of

from t2s_agent.regions.build import build_regions, subset
from t2s_agent.regions.geojson import feature_collection, regions_from
from t2s_agent.regions.lineage import of_parent, with_parents
from t2s_agent.regions.region import Source
from t2s_agent.results.record import RegionRecord, region_record


def three():
    """Region 1 holds region 2 and shares a column with region 3, which touches nothing else."""
    view = view_of()
    masks = [mask_of(view, 0, 0, 20, 20), mask_of(view, 5, 5, 9, 9), mask_of(view, 19, 0, 39, 30)]
    return view, build_regions(cropped(masks), view)


def test_masks_that_share_pixels_name_each_other_and_touching_ones_do_not():
    view, regions = three()
    assert [region.overlaps for region in regions.regions] == [(2, 3), (1,), (1,)]
    touching = build_regions(cropped([mask_of(view, 0, 0, 9, 9), mask_of(view, 9, 0, 20, 9)]), view)
    assert [region.overlaps for region in touching.regions] == [(), ()]


def test_overlaps_stay_known_under_new_numbers():
    _, regions = three()
    assert [region.overlaps for region in subset(regions, [2, 0]).regions] == [(2,), (1,)]
    view = view_of()
    settled = [regions.labels == id_ for id_ in (1, 3)]
    rebuilt = build_regions(
        cropped(settled), view, sources=[(Source("r_0", 1),), (Source("r_0", 3),)]
    )  # these share no pixel any more
    assert [region.overlaps for region in rebuilt.regions] == [(), ()]
    found = with_parents(rebuilt, of_parent(regions, "r_0"), "r_0")
    assert [(region.was, region.overlaps) for region in found.regions] == [(1, (2,)), (3, (1,))]


def test_all_values_of_a_region_are_read_back_from_its_file():
    _, regions = three()
    back = regions_from(json.loads(json.dumps(feature_collection(of_parent(regions, "r_0")))))
    for was, now in zip(regions.regions, back, strict=True):
        assert (now.overlaps, now.parts, now.touches_edge, now.orientation_deg) == (
            was.overlaps,
            was.parts,
            was.touches_edge,
            was.orientation_deg,
        )
        assert abs(now.length.value - was.length.value) < 0.01
        assert now.sources == (Source("r_0", was.id),)


def test_files_and_records_of_earlier_versions_are_read():
    _, regions = three()
    kept = {"label", "area_m2", "area_pm_m2", "perimeter_m", "perimeter_pm_m", "centroid", "score", "agreement"}
    collection = json.loads(json.dumps(feature_collection(regions)))
    for feature in collection["features"]:
        p = feature["properties"]
        p |= {"centroid": [p["lon"], p["lat"]], "label": p.get("label", ""), "score": None, "agreement": None}
        feature["id"] = p["id"]
        feature["properties"] = {name: value for name, value in p.items() if name in kept}
    for was, now in zip(regions.regions, regions_from(collection), strict=True):
        assert (now.length, now.parts, now.touches_edge, now.overlaps, now.sources) == (None, None, None, (), ())
        assert abs(now.pixel / was.pixel - 1) < 0.01
    new = {"length", "length_pm", "width", "width_pm", "orientation_deg", "compactness", "touches_edge", "parts"}
    older = region_record(regions.regions[0]).model_dump(exclude=new | {"overlaps", "sources"})
    assert RegionRecord(**older).length is None
