"""Other programs see the regions that we wrote: number, areas and CRS, in each file type that they can read."""

import shutil
from dataclasses import replace

import pytest

from tests.readers import check


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("ogrinfo") or shutil.which("qgis_process.bin")), reason="needs GDAL's programs or QGIS"
)
def test_every_reader_sees_what_is_true(tmp_path):
    lines = list(check.checked(tmp_path))
    assert [line.text() for line in lines if line.wrong] == []
    assert any(line.count == 3 and line.reader == "GDAL" for line in lines) or not shutil.which("ogrinfo")


def test_a_wrong_number_is_seen():
    case = check.CASES[0]
    right = check.Line("earth", ".gpkg", "GDAL", 3, case.area, case.area, "EPSG:4326")
    assert not check.judged(right, case).wrong
    for wrong in ({"count": 2}, {"area": 100.0}, {"measured": 150.0}, {"crs": "Pixels"}):
        assert check.judged(replace(right, **wrong), case).wrong
