"""Tests what a run's data holds: which questions, as which pixels, what is refused, and that parts share nothing."""

import numpy as np
import pytest
from coco_tiles import write_tiles

from evals.datasets import BrokenDataset, BrokenSample, Truth, open_dataset
from evals.protocols.grids import resized
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask, union_of
from training.pool import Pool, truth_in_view
from training.recipe import Data, Source


def scenes(count=3, size=64, **more):
    return Source(dataset="procedural", options={"count": count, "size": size}, **more)


def pool_of(*sources, **more):
    data = Data(train=sources, **more)
    return Pool.open(data.train, data)


def tiles(folder, **more):
    """A source of pictures in tiles, as iSAID's crops are."""
    write_tiles(folder, **more)
    return Source(dataset="coco", root=folder)


def test_a_question_is_found_by_its_id_with_view_and_truth():
    pool = pool_of(scenes())
    for id_ in pool.ids:
        view, truth = pool.view(id_), pool.truth(id_)
        assert truth.mask.shape == (view.height, view.width) == (64, 64)
        assert pool.asked(id_, "box").question == pool.sample(id_).question
    with pytest.raises(T2SError, match="no question has the id"):
        pool.sample("procedural/none")


def test_questions_for_what_is_not_annotated_are_never_used():
    own = list(open_dataset("procedural", None, "train", count=3, size=64).samples())
    assert any(sample.metadata["question_kind"] == "untaught" for sample in own)
    pool = pool_of(scenes())
    assert not any(pool.sample(id_).metadata["question_kind"] == "untaught" for id_ in pool.ids)
    assert any(pool.sample(id_).metadata["question_kind"] == "empty" for id_ in pool.ids)


def test_the_same_dataset_twice_has_two_names():
    pool = pool_of(scenes(1), scenes(1))
    assert {id_.split("/")[0] for id_ in pool.ids} == {"procedural", "procedural-2"}


def test_views_are_stretched_as_the_recipe_says_and_truth_follows_them():
    pool = pool_of(scenes(), view="square:96")
    for id_ in pool.ids:
        assert pool.view(id_).rgb.shape == (96, 96, 3)
        own, truth = pool.sample(id_).read_truth(), pool.truth(id_)
        assert (truth.mask == resized(own.mask, 96, 96)).all()
        assert (truth.mask == union_of(truth.instances or (), 96, 96)).all()


def test_an_object_that_loses_all_pixels_is_no_object_of_the_view():
    mask = np.zeros((90, 90), bool)
    mask[0, 0] = mask[30:60, 30:60] = True
    truth = Truth(mask, (Mask.of(mask[:1, :1]), Mask.of(mask[30:60, 30:60], 30, 30)), ignore=~mask)
    seen = truth_in_view(truth, 30, 30)
    assert [each.bounds for each in seen.instances] == [(10, 10, 20, 20)]
    assert (seen.ignore == ~seen.mask).all()


def test_memory_for_pixels_is_bounded_and_nothing_else_changes():
    data = Data(train=(scenes(4),))
    small = Pool.open(data.train, data, kept_bytes=3 * 64 * 64 * 5)
    large = Pool.open(data.train, data)
    for id_ in small.ids * 2:
        assert (small.view(id_).rgb == large.view(id_).rgb).all()
    assert small._kept._bytes <= small._kept.most
    assert len(small._kept._values) < len(large._kept._values)


def test_parts_of_a_split_have_no_neighbouring_blocks_and_make_it_whole(tmp_path):
    source = tiles(tmp_path)
    part = {
        name: pool_of(source.model_copy(update={"part": name, "validation_share": 0.25}))
        for name in ("train", "validation")
    }
    train, validation = (
        {int(str(pool.sample(id_).metadata["block"]).split()[1]) for id_ in pool.ids} for pool in part.values()
    )
    assert validation
    assert min(abs(one - other) for one in train for other in validation) > 1
    assert sorted(part["train"].ids + part["validation"].ids) == pool_of(source).ids


def test_a_part_can_be_cut_by_any_entry_of_the_metadata(tmp_path):
    source = tiles(tmp_path).model_copy(update={"part": "validation", "part_by": "source", "validation_share": 0.25})
    pool = pool_of(source)
    assert len({pool.sample(id_).metadata["source"] for id_ in pool.ids}) == 6


def test_a_source_without_masks_is_refused_by_name(tmp_path):
    with pytest.raises(T2SError, match="source coco has no mask"):
        pool_of(tiles(tmp_path, annotated=False))


def test_a_broken_picture_stops_by_name_and_with_skip_is_named_beforehand(tmp_path):
    source = tiles(tmp_path, count=3)
    (tmp_path / "train" / "01.png").write_bytes(b"no picture")
    pool = pool_of(source)
    [broken, *_] = [id_ for id_ in pool.ids if "01.png" in id_]
    with pytest.raises(BrokenSample, match=r"01\.png"):
        pool.view(broken)
    kept = pool.without([broken])
    assert broken not in kept.ids
    assert kept.left_out == (broken,)


def test_a_listing_with_problems_stops_or_is_counted(tmp_path):
    source = tiles(tmp_path, count=3)
    (tmp_path / "train" / "02.png").unlink()
    with pytest.raises(BrokenDataset, match=r"02\.png"):
        pool_of(source)
    pool = pool_of(source, on_broken="skip")
    assert len(pool.left_out) == 1
    assert "02.png" in pool.left_out[0]
