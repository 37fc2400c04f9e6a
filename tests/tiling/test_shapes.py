"""Outlines wait on disk for their turn."""

from shapely.geometry import MultiPolygon, box

from t2s_agent.tiling.shapes import Shapes


def test_outlines_come_back_by_number(tmp_path):
    shapes = Shapes(tmp_path / "shapes.sqlite")
    two = MultiPolygon([box(0, 0, 1, 1), box(5, 5, 7, 9)])
    shapes.write([(2, two), (1, box(3, 4, 5, 6))])
    numbers, boxes = shapes.boxes()
    assert numbers.tolist() == [1, 2]
    assert boxes.tolist() == [[3, 4, 5, 6], [0, 0, 7, 9]]
    assert shapes.read([2, 1]) == [two, box(3, 4, 5, 6)]
    shapes.close()


def test_a_file_of_earlier_work_is_replaced(tmp_path):
    for _ in range(2):
        shapes = Shapes(tmp_path / "shapes.sqlite")
        assert shapes.boxes()[0].tolist() == []
        shapes.write([(1, box(0, 0, 1, 1))])
        shapes.close()
