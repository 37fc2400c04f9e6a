"""The acts of the matrix see what they claim to see, and each script names its versions."""

import asyncio
import json
from typing import Any

import pytest

from tests.clients.adapter import MARK, Seen, changes_of, picture_of, report
from tests.clients.matrix import SCRIPTS, requirements_of, table

SCHEMA = {
    "type": "object",
    "required": ["image", "query"],
    "properties": {
        "image": {"type": "string", "description": "name"},
        "query": {"type": "string", "description": "what"},
        "max_regions": {"type": "integer", "maximum": 500, "description": "rows"},
        "columns": {"type": "array", "items": {"enum": ["length", "compactness"]}, "description": "more"},
    },
}
ANSWER = '{"status":"found","total":7}'


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda script: script.stem)
def test_a_script_pins_its_framework_and_never_torch(script):
    first, *others = requirements_of(script)
    assert "==" in first
    assert not any("torch" in each for each in (first, *others))


def test_a_schema_that_came_through_whole_is_kept():
    assert changes_of(SCHEMA) == "kept"


def test_what_a_framework_took_from_a_schema_is_said():
    bare: dict[str, Any] = {
        "properties": {name: {"anyOf": [{"type": "string"}, {"type": "null"}]} for name in SCHEMA["properties"]}
    }
    bare |= {"required": list(bare["properties"]), "additionalProperties": False}
    assert changes_of(bare) == "all required, limits lost, choices lost, closed, null added, descriptions lost"


def test_a_picture_is_seen_as_picture_as_text_or_lost():
    assert picture_of(Seen(ANSWER, picture=True)) == "picture"
    assert picture_of(Seen(ANSWER)) == "lost"
    assert picture_of(Seen(ANSWER + "A" * 50_000)) == "as text (50,028 characters)"


def made_of(capsys, call) -> dict[str, Any]:
    tools = dict.fromkeys(["describe_region", "reason_segment", "refine_mask"], SCHEMA)
    asyncio.run(report(tools, call))
    return json.loads(capsys.readouterr().out.removeprefix(MARK))


def test_a_framework_that_passes_everything_on_has_a_row_without_no(capsys):
    async def call(tool, arguments):
        if arguments["image"] == "harbor.tiff":
            return Seen("image_not_found: no such image. Did you mean harbour.tif.", failed="is_error")
        if "max_region" in arguments:
            return Seen("argument_invalid: no max_region. Did you mean max_regions? ...", failed="is_error")
        return Seen(ANSWER, picture=True, structured=True)

    row = made_of(capsys, call)
    assert all(row[key] is True for key in ("listed", "called", "structured", "links", "null"))
    assert (row["error"], row["misspelt"], row["picture"]) == ("is_error", "hint seen", "picture")


def test_a_framework_that_swallows_errors_is_seen(capsys):
    async def call(tool, arguments):
        if arguments["image"] == "harbor.tiff":
            raise RuntimeError("it did not work")
        return Seen(ANSWER)

    row = made_of(capsys, call)
    assert row["error"] == "text lost (exception RuntimeError: it did not work)"
    assert (row["misspelt"], row["picture"]) == ("dropped without a word", "lost")


def test_a_row_of_the_table_has_a_cell_for_each_column():
    header, rule, row = table([{"name": "some 1.0", "listed": True, "called": "no: a|b\nc"}]).splitlines()
    assert header.count("|") == rule.count("|") == row.count("|")
    assert "| some 1.0 |" in row
    assert "no: a/b c" in row
