"""Images as agents name them."""

from t2s_agent.tools import reason_segment
from t2s_agent.tools.images import image_name


def test_an_image_may_be_named_by_the_address_of_its_resource(engine):
    assert image_name("t2s://images/sub/a%20b.tif") == "sub/a b.tif"
    assert reason_segment(engine, "t2s://images/sub/field.tif", "tanks").status == "found"
