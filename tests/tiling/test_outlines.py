"""Outlines from blocks are those of the whole labels."""

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from t2s_agent.regions.polygons import traced_all
from t2s_agent.tiling.outlines import outlines
from t2s_agent.tiling.painting import Block

pictures = arrays(np.int32, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.sampled_from([0, 1, 1, 2]))


def cut(labels, size, last=None):
    for y in range(0, labels.shape[0], size):
        for x in range(0, labels.shape[1], size):
            yield Block(x, y, labels[y : y + size, x : x + size], (last or {}).get((x, y), ()))


@given(pictures, st.integers(1, 24))
def test_outlines_do_not_depend_on_the_blocks(labels, size):
    found = dict(outlines(cut(labels, size)))
    whole = {number: shapely.normalize(geometry) for number, geometry in traced_all(labels).items()}
    assert {number: geometry.wkb for number, geometry in found.items()} == {n: g.wkb for n, g in whole.items()}


def test_a_few_objects_far_apart_are_traced_each_in_its_box():
    labels = np.zeros((40, 40), np.int32)
    labels[2:6, 3:9], labels[30:38, 20:22], labels[31:33, 20:22] = 5, 3, 0
    found = dict(outlines([Block(100, 200, labels)]))
    assert {number: (geometry.bounds, geometry.area) for number, geometry in found.items()} == {
        3: ((120, 230, 122, 238), 12),
        5: ((103, 202, 109, 206), 24),
    }


def test_a_hole_across_the_edge_of_a_block_stays_a_hole():
    labels = np.ones((8, 8), np.int32)
    labels[2:6, 3:5] = 0
    ((number, ring),) = outlines(cut(labels, 4))
    assert (number, ring.area, len(ring.interiors), len(ring.exterior.coords)) == (1, 56, 1, 5)


def test_an_object_comes_as_soon_as_no_later_block_adds_to_it():
    labels = np.zeros((4, 8), np.int32)
    labels[1:3, 2:6] = 1
    labels[1:3, 7] = 70_000
    read = []

    def blocks():
        for block in cut(labels, 4, {(4, 0): (1,)}):
            read.append(block.x)
            yield block

    stream = outlines(blocks())
    assert (next(stream)[0], read) == (1, [0, 4])
    assert [number for number, _ in stream] == [70_000]  # no block said that it is complete
