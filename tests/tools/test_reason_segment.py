"""The tool that asks a question about an image."""

from served.data import rows_of
from t2s_agent.tools import reason_segment


def test_a_tool_is_a_typed_function_over_an_engine(engine):
    answer = reason_segment(engine, "harbour.tif", "tanks")
    assert answer.status == "found"
    assert [row["id"] for row in rows_of(answer.facts())] == [1, 2]
    assert answer.picture.startswith(b"\xff\xd8")
    assert not reason_segment(engine, "harbour.tif", "tanks", preview=False).picture
