"""The table of attributes: one for all formats, and the same in the documentation."""

from pathlib import Path

import pytest
from views.data import mask_of, view_of

from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.fields import About, fields_of, known_in, only, uid_of, values_of
from t2s_agent.regions.units import METRES, PIXELS

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "files.md"


@pytest.mark.parametrize("crs", [32633, None])
def test_a_region_has_a_value_or_none_for_each_field_and_nothing_else(crs):
    view = view_of(crs=crs)
    (region,) = build_regions([Mask.of(mask_of(view, 10, 10, 16, 16))], view).regions
    values = values_of(region, About(result="r_0", question="q"))
    fields = fields_of(METRES if crs else PIXELS)
    assert list(values) == [field.name for field in fields]
    types = {"text": str, "integer": int, "real": (int, float), "boolean": bool}
    for field in fields:
        assert values[field.name] is None or isinstance(values[field.name], types[field.kind]), field.name
        if field.unit:
            assert field.unit in field.name or field.name in ("orientation_deg", "lon", "lat"), field.name


def test_the_documentation_has_the_fields_their_short_names_types_and_units():
    table = [line.split(" | ") for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    rows = [[cell.strip("| ") for cell in row] for row in table if len(row) == 5]
    for there, earth, pixels in zip(rows, fields_of(METRES), fields_of(PIXELS), strict=True):
        for cell, names in ((there[0], (earth.name, pixels.name)), (there[1], (earth.short, pixels.short))):
            assert cell == " or ".join(dict.fromkeys(f"`{name}`" for name in names))
        assert there[2] == earth.kind
        assert there[3] == " or ".join(dict.fromkeys((earth.unit, pixels.unit)))
        assert there[4].startswith(earth.meaning)


def test_attributes_that_are_none_in_all_rows_are_left_out():
    rows = [{"a": 1, "b": None, "c": None}, {"a": None, "b": None, "c": 0}]
    known = known_in(iter(rows))
    assert [only(known, row) for row in rows] == [{"a": 1, "c": None}, {"a": None, "c": 0}]


def test_ids_are_unique_among_results():
    assert (uid_of("r_6b04b877a692", 7), uid_of("", 7)) == ("r_6b04b877a692-7", "7")
