"""Region ids beyond 65,535: in arrays, in masks on disk, in outlines."""

import hashlib

import numpy as np
import pytest
import rasterio
from shapely.geometry import box
from views.data import region_of, view_of

from t2s_agent.pipeline.saving import mask_digest
from t2s_agent.regions.build import subset
from t2s_agent.regions.lineage import unchanged_ids
from t2s_agent.regions.polygons import traced_all
from t2s_agent.regions.raster import read_mask, write_mask
from t2s_agent.regions.region import MOST_REGIONS, RegionSet
from t2s_agent.regions.units import PIXELS


def labels_of(*ids):
    """Labels (40, 60) with a block of 3 x 4 pixels an id."""
    labels = np.zeros((40, 60), np.int32)
    for place, id_ in enumerate(ids):
        labels[2:5, 5 * place : 5 * place + 4] = id_
    return labels


@pytest.mark.parametrize(
    ("most", "dtype"),
    [(1, "uint8"), (255, "uint8"), (256, "uint16"), (65_535, "uint16"), (65_536, "uint32"), (MOST_REGIONS, "uint32")],
)
def test_a_mask_comes_back_from_the_fewest_bits_that_hold_its_ids(tmp_path, most, dtype):
    labels = labels_of(1, most)
    write_mask(labels, view_of(), tmp_path / "mask.tif")
    with rasterio.open(tmp_path / "mask.tif") as file:
        assert file.dtypes == (dtype,)
    back = read_mask(tmp_path / "mask.tif")
    assert (back.dtype, back.tolist()) == (np.int32, labels.tolist())


def test_ids_that_differ_by_65536_are_two_regions():
    labels = labels_of(4, 4 + 65_536)
    outlines = traced_all(labels)
    assert {id_: (outline.bounds, outline.area) for id_, outline in outlines.items()} == {
        4: ((0, 2, 4, 5), 12),
        65_540: ((5, 2, 9, 5), 12),
    }
    assert unchanged_ids(labels_of(70_000, 4), labels) == {4: 70_000, 65_540: 4}


def test_seventy_thousand_regions_are_numbered_again_in_another_order():
    ids = range(1, 70_001)
    regions = tuple(region_of(id_, box(0, 0, 1, 1)) for id_ in ids)
    found = subset(RegionSet(regions, labels_of(1, 70_000, 65_536), units=PIXELS), [69_999, *range(1, 69_999)])
    assert [region.id for region in found.regions[-2:]] == [69_998, 69_999]
    assert sorted(set(found.labels.ravel().tolist())) == [0, 1, 65_536]  # 1 is left out, 70,000 has become the first


def test_the_digest_of_a_mask_is_that_of_records_from_when_ids_had_16_bits():
    labels = labels_of(1, 65_535)
    then = hashlib.sha256(b"(40, 60)" + labels.astype(np.uint16).tobytes()).hexdigest()
    assert mask_digest(labels) == then
    assert mask_digest(labels_of(1, 65_536 + 65_535)) != then
