"""Objects that tiles cut are one object again; where tiles do not agree, the object is marked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.tiling.scenes import SCENES, SIDE, SeamScene, rectangle
from evals.tiling.truth import Truth
from t2s_agent.mask import Mask
from t2s_agent.tiling.loading import Piece
from t2s_agent.tiling.seams import join
from t2s_agent.tiling.windows import Tiling

TILING = Tiling(200, 90, tile=110, overlap=20)  # two tiles: x 0 to 110 and 90 to 200


def joined(*pieces, tiling=TILING, missing=()):
    by = {tile.index: [] for tile in tiling}
    for number, (tile, box) in enumerate(pieces):
        by[tile].append(Piece(number, tile, rectangle(*box)))
    return join(tiling, lambda tile: None if tile in missing else by[tile]).objects


def groups_of(scene, tiling, **how):
    """How many objects there are, and whether each has pieces of one object of the truth, all of them."""
    truth = Truth(scene, tiling, **how)
    objects = join(tiling, truth).objects
    shown = [{truth.object_of(piece) for piece in each.pieces} for each in objects]
    assert all(len(each) == 1 for each in shown), "pieces of several objects were joined"
    assert len(set().union(*shown)) == len(shown) == len(scene.objects)
    return objects


def test_two_pieces_that_agree_where_both_tiles_saw_are_one_object():
    (road,) = joined((0, (0, 40, 110, 50)), (1, (90, 40, 200, 50)))
    assert (road.pieces, road.tiles, road.unsure) == ((0, 1), (0, 1), ())


def test_a_sliver_is_set_aside_for_the_piece_that_shows_more():
    (house,) = joined((0, (100, 40, 110, 50)), (1, (100, 40, 130, 50)))
    assert (house.pieces, house.aside, house.unsure) == ((1,), (0,), ())


def test_a_sliver_is_set_aside_though_the_other_outline_ends_before_it():
    (house,) = joined((0, (80, 40, 93, 50)), (1, (90, 41, 96, 49)), tiling=Tiling(200, 90, tile=110, overlap=20))
    assert house.pieces == (0,)


def test_an_object_that_two_tiles_show_whole_comes_from_one_of_them():
    (shed,) = joined((0, (95, 40, 104, 50)), (1, (94, 40, 103, 51)))
    assert (shed.pieces, shed.aside) == ((0,), (1,))  # 110 - 104 px from the edge of its tile, not 94 - 90


def test_a_cut_piece_that_no_other_tile_shows_is_kept_and_marked():
    (lost,) = joined((0, (100, 40, 110, 50)))
    assert (lost.pieces, lost.unsure) == ((0,), ("cut", "unconfirmed"))


def test_a_cut_piece_that_goes_on_nowhere_is_marked():
    (half,) = joined((0, (10, 40, 110, 50)))
    assert half.unsure == ("cut",)


def test_a_tile_that_was_not_looked_at_is_nobodys_neighbour():
    (half,) = joined((0, (100, 40, 110, 50)), missing=[1])
    assert (half.pieces, half.unsure) == ((0,), ("edge_unseen",))


def test_pixels_that_are_set_aside_without_agreement_are_not_painted():
    """A thin rim of the lower parcel at the edge of tile 0, where tile 1 places that parcel further down."""
    objects = joined((0, (10, 20, 110, 50)), (0, (108, 51, 110, 80)), (1, (90, 20, 200, 50)), (1, (111, 52, 200, 80)))
    assert [each.pieces for each in objects] == [(0, 2), (3,)]


def test_one_object_here_and_two_there_are_marked():
    objects = joined((0, (10, 20, 110, 70)), (1, (90, 20, 200, 43)), (1, (90, 44, 200, 70)))
    assert len(objects) == 2
    assert all("windows_disagree" in each.unsure for each in objects)


def test_two_pieces_of_a_tile_are_not_joined_if_one_of_them_ends_in_it():
    objects = joined(
        (0, (10, 20, 110, 40)), (0, (40, 38, 108, 57)), (1, (90, 20, 200, 55)), tiling=Tiling(200, 90, 110, 20)
    )
    assert len(objects) == 2


def test_a_scene_of_one_tile_is_left_as_it_is():
    tiling = Tiling(90, 90, 110, 20)
    objects = joined((0, (0, 0, 90, 20)), (0, (10, 5, 20, 15)), (0, (0, 30, 10, 90)), tiling=tiling)
    assert [(each.pieces, each.aside, each.unsure) for each in objects] == [
        ((0,), (), ()),
        ((1,), (), ()),
        ((2,), (), ()),
    ]


@pytest.mark.parametrize("jitter", [0, 3, 6])
@pytest.mark.parametrize("scene", [each for each in SCENES if each.__name__ in ("fields", "roads", "courtyards")])
def test_counts_are_exact_though_outlines_differ_between_tiles(scene, jitter):
    objects = groups_of(scene(), Tiling(SIDE, SIDE), jitter=jitter)
    assert jitter or not any(each.unsure for each in objects)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sides", "grow", "warp"])
@pytest.mark.parametrize("jitter", [0, 3, 6])
@pytest.mark.parametrize("scene", SCENES)
def test_counts_are_exact_on_all_scenes_and_other_tilings(scene, jitter, kind):
    drawn = scene()
    for seed in range(3 if jitter else 2):
        rng = np.random.default_rng(seed)
        tile, overlap = (1024, 128) if seed == 0 else (int(rng.integers(700, 1300)), int(rng.integers(100, 200)))
        groups_of(
            drawn,
            Tiling(SIDE, SIDE, tile, overlap, tuple(rng.integers(0, 900, 2).tolist())),
            jitter=jitter,
            kind=kind,
            seed=seed,
        )


def small_scene(draw):
    """Up to 6 figures of a few rectangles in a chain, none of which touch."""
    width, height = draw(st.integers(20, 90)), draw(st.integers(20, 90))
    labels = np.zeros((height, width), np.int32)
    for number in range(1, draw(st.integers(1, 6)) + 1):
        figure = np.zeros(labels.shape, bool)
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        for _ in range(draw(st.integers(1, 4))):
            u, v = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
            figure[min(y, v) : max(y, v) + 1, x : x + 2] = True  # down, then across
            figure[v : v + 2, min(x, u) : max(x, u) + 2] = True
            x, y = u, v
        wide = np.pad(labels > 0, 1)
        taken = sum(wide[1 + j : 1 + j + height, 1 + i : 1 + i + width] for i in (-1, 0, 1) for j in (-1, 0, 1)) > 0
        if not (figure & taken).any():
            labels[figure] = number
    masks = [Mask.of(labels == number) for number in np.unique(labels) if number]
    return SeamScene("drawn", width, height, tuple(masks))


@st.composite
def drawn(draw):
    scene = small_scene(draw)
    tile = draw(st.integers(10, 50))
    origin = draw(st.integers(0, 60)), draw(st.integers(0, 60))
    return scene, Tiling(scene.width, scene.height, tile, draw(st.integers(1, (tile - 1) // 2)), origin)


@settings(deadline=None, max_examples=40)
@given(drawn())
def test_without_differences_objects_of_any_shape_are_exact_and_none_is_marked(given_):
    scene, tiling = given_
    assert not any(each.unsure for each in groups_of(scene, tiling))


@settings(deadline=None, max_examples=15)
@given(drawn(), st.randoms(use_true_random=False))
def test_neither_ids_nor_the_order_of_pieces_matter(given_, random):
    scene, tiling = given_
    truth = Truth(scene, tiling, jitter=2)
    names = {piece.id: number for number, piece in enumerate(p for tile in tiling for p in truth(tile.index))}
    shuffled = list(names)
    random.shuffle(shuffled)
    new = dict(zip(names, shuffled, strict=True))

    def other(tile):
        pieces = [Piece(new[piece.id], tile, piece.mask) for piece in truth(tile)]
        random.shuffle(pieces)
        return pieces

    def sets(objects, rename):
        return {(frozenset(rename[i] for i in each.pieces), each.unsure) for each in objects}

    same = {name: name for name in names}
    assert sets(join(tiling, other).objects, same) == sets(join(tiling, truth).objects, new)


@settings(deadline=None, max_examples=15)
@given(drawn())
def test_tiles_without_pieces_join_nothing_whether_they_were_looked_at_or_not(given_):
    scene, tiling = given_
    truth = Truth(scene, tiling, jitter=2)
    looked = join(tiling, truth).objects
    not_looked = join(tiling, lambda tile: truth(tile) or None).objects
    assert [(each.pieces, each.aside) for each in looked] == [(each.pieces, each.aside) for each in not_looked]
