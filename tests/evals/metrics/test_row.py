"""A row goes to a line of JSON and back unchanged."""

import json

from hypothesis import given
from hypothesis import strategies as st

from evals.metrics import GridFacts, Overlap, Row

small = st.integers(0, 10**6)
facts = st.tuples(small, small, small, small, small, small, small, small).map(
    lambda n: GridFacts(n[0], Overlap(n[2], n[3], n[1]), Overlap(n[4], n[5], n[1]), Overlap(n[6], n[7], n[1]))
)
rows = st.builds(
    Row,
    id=st.text(),
    image_id=st.text(),
    item=st.text(),
    question_index=small,
    cluster=st.text(),
    question=st.text(),
    status=st.sampled_from(["found", "empty", "not_understood", "unparsable"]),
    instances=small,
    without_prompt=small,
    true_instances=st.none() | small,
    known=st.booleans(),
    tokens=small,
    seconds=st.floats(0, 1e6),
    segment_seconds=st.floats(0, 1e6),
    grids=st.dictionaries(st.sampled_from(["original", "square-840"]), facts, min_size=1),
    metadata=st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False)),
)


@given(row=rows)
def test_a_row_read_from_its_line_is_the_same_row(row):
    line = row.to_json()
    assert "\n" not in line
    assert Row.from_dict(json.loads(line)) == row
