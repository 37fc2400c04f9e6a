"""What rows of a batch have in common."""

import pytest
import torch

from training.rollouts.sharing import backbone_of, find_pictures, find_prompts, shares_prompts

IMAGE = 9


def picture(value, height=2, width=2):
    return torch.full((height * width, 3), float(value)), torch.tensor([[1, height, width]])


def found(ids, *pictures):
    patches, grids = zip(*pictures, strict=True)
    return find_pictures(torch.tensor(ids), torch.cat(patches), torch.cat(grids), image_token=IMAGE, merge=2)


def test_rows_with_equal_pixels_show_one_picture():
    shown = found([[1, IMAGE, 2], [3, IMAGE, 2], [1, IMAGE, 2]], picture(5), picture(6), picture(5))
    assert shown.rows == ((0,), (1,), (0,))
    assert [patches[0, 0].item() for patches in shown.patches] == [5, 6]
    assert shown.of([2, 1]) == [0, 1]


def test_equal_pixels_in_another_shape_are_another_picture():
    shown = found([[IMAGE, IMAGE], [IMAGE, IMAGE]], picture(5, 2, 4), picture(5, 4, 2))
    assert shown.rows == ((0,), (1,))


def test_a_row_takes_as_many_pictures_as_it_has_image_tokens_for():
    shown = found([[IMAGE, 1, IMAGE], [1, 2, 3], [4, 5, IMAGE]], picture(1), picture(2), picture(2))
    assert shown.rows == ((0, 1), (), (1,))


@pytest.mark.parametrize("ids", [[[IMAGE, IMAGE]], [[1, 2]], [[IMAGE, 1], [IMAGE, 1]]])
def test_image_tokens_and_pictures_that_do_not_fit_are_refused(ids):
    with pytest.raises(RuntimeError, match=r"image tokens|belong to no row"):
        found(ids, picture(1))


def test_prompts_are_equal_in_tokens_padding_and_pictures():
    ids = torch.tensor([[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2], [5, 1, 2]])
    mask = torch.tensor([[0, 1, 1], [1, 1, 1], [0, 1, 1], [0, 1, 1], [1, 1, 1]])
    prompts = find_prompts(ids, mask, [(0,), (0,), (1,), (0,), (0,)])
    assert prompts.of_row == (0, 1, 2, 0, 3)
    assert prompts.first == (0, 1, 2, 4)


def test_models_with_sliding_windows_and_other_families_do_not_share(maker):
    assert shares_prompts(maker.model)
    maker.model.config.text_config.layer_types = ["full_attention", "sliding_attention"]
    assert not shares_prompts(maker.model)
    maker.model.config.text_config.layer_types = None
    maker.model.config.model_type = "internvl"
    assert not shares_prompts(maker.model)


def test_the_backbone_is_found_inside_wrappers(maker):
    wrapped = torch.nn.ModuleList([torch.nn.ModuleList([maker.model])])
    assert backbone_of(wrapped) is maker.model.model
