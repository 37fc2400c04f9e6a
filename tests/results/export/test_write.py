"""Every file type holds the same regions: their number, areas, outlines, types and what was asked."""

import geopandas
import pytest
from affine import Affine
from stored.data import stored_result

from t2s_agent.results.export import write

TYPED = (".gpkg", ".parquet", ".fgb")
MOON = Affine(100, 0, 50_000, 0, -100, 20_000), "+proj=eqc +R=1737400 +units=m +no_defs"


def read(path):
    return geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path)


@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb", ".geojson", ".shp", ".kml"])
def test_a_file_of_any_type_has_the_regions_at_their_place_with_what_was_asked(tmp_path, ending):
    record, folder = stored_result(tmp_path / "r", boxes=[(10, 10, 16, 16), (30, 5, 40, 20)])
    table = read(write(tmp_path / f"a{ending}", record, folder)).sort_values(
        "uid"
    )  # FlatGeobuf keeps its index's order
    assert table.crs.to_epsg() == 4326
    assert list(table["region_id" if ending == ".kml" else "id"]) == [1, 2]
    assert list(table["uid"]) == [f"{record.id}-1", f"{record.id}-2"]
    assert set(table["question"]) == {record.query}
    assert set(table["image"]) == {record.scene.name}
    areas = table.to_crs(32633).area
    assert areas.tolist() == pytest.approx([36 * 0.25, 150 * 0.25], rel=0.02)
    name = "areapm_m2" if ending == ".shp" else "area_pm_m2"
    assert table["area_m2"].tolist() == pytest.approx([9.01, 37.5], rel=0.01)
    assert (table[name] > 0).all()


@pytest.mark.parametrize("ending", TYPED)
def test_an_empty_result_has_the_fields_types_and_geometry_of_a_full_one(tmp_path, ending):
    import pyarrow.parquet
    import pyogrio

    def schema(path):
        if ending == ".parquet":
            return pyarrow.parquet.read_schema(path).remove_metadata()
        info = pyogrio.read_info(path)
        return list(info["fields"]), list(info["dtypes"]), info["geometry_type"], info["crs"]

    full = stored_result(tmp_path / "full", boxes=[(10, 10, 16, 16)])
    empty = stored_result(tmp_path / "empty", boxes=[])
    paths = [write(tmp_path / f"{n}{ending}", *each) for n, each in enumerate((full, empty))]
    assert schema(paths[0]) == schema(paths[1])
    assert len(read(paths[1])) == 0
