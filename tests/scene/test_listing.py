"""Listing of a folder's images; one invalid entry does not end the listing."""

import os

import pytest

from t2s_agent.scene.listing import images_in


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a.tif").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.PNG").touch()
    return tmp_path


def test_images_are_named_relative_to_their_root(root):
    (root / "notes.txt").touch()
    (root / ".hidden.tif").touch()
    (root / "folder.tif").mkdir()
    listing = images_in([root])
    assert (listing.names, listing.skipped, listing.complete) == (["a.tif", "sub/b.PNG"], 0, True)
    assert listing.remark() == ""


def test_masks_of_results_below_a_root_are_no_images(root):
    for folder in ("r_6b0ad3f9cdece4a56bb150cc", "r_20240101"):  # the second is a folder of a person
        (root / "run" / folder).mkdir(parents=True)
        (root / "run" / folder / "mask.tif").touch()
    assert images_in([root]).names == ["a.tif", "run/r_20240101/mask.tif", "sub/b.PNG"]


def test_the_same_name_in_a_second_root_is_given_in_full(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "a.tif").touch()
    assert images_in([root, other]).names == ["a.tif", "sub/b.PNG", str(other / "a.tif")]


def not_utf8(root):
    (root / os.fsdecode(b"bad\xff.tif")).touch()


def with_a_line_feed(root):
    (root / "two\nlines.tif").touch()


def circle(root):
    (root / "circle.tif").symlink_to(root / "circle.tif")


def to_nowhere(root):
    (root / "gone.tif").symlink_to(root / "nothing")


def folder_not_utf8(root):
    (root / os.fsdecode(b"f\xfe")).mkdir()
    (root / os.fsdecode(b"f\xfe") / "c.tif").touch()


@pytest.mark.parametrize("odd", [not_utf8, with_a_line_feed, circle, to_nowhere, folder_not_utf8])
def test_an_entry_that_cannot_be_shown_is_counted_and_the_others_are_listed(root, odd):
    odd(root)
    listing = images_in([root])
    assert (listing.names, listing.skipped) == (["a.tif", "sub/b.PNG"], 1)
    assert listing.remark() == "1 entry could not be shown"
    for name in listing.names:
        name.encode()


def test_a_folder_that_may_not_be_read_is_counted(root, monkeypatch):
    scandir = os.scandir

    def refusing(folder):
        if str(folder).endswith("sub"):
            raise PermissionError(13, "no")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert (images_in([root]).names, images_in([root]).skipped) == (["a.tif"], 1)


def test_deeply_nested_folders_end_without_an_error(root):
    deep = root
    for _ in range(40):
        deep = deep / "d"
        deep.mkdir()
    (deep / "c.tif").touch()
    listing = images_in([root])
    assert (listing.names, listing.skipped) == (["a.tif", "sub/b.PNG"], 1)


def test_a_missing_root_is_counted(root, tmp_path):
    assert images_in([tmp_path / "gone", root]).skipped == 1


def test_a_listing_that_stops_says_so(root):
    listing = images_in([root], most=1)
    assert (listing.names, listing.complete) == (["a.tif"], False)
    assert "more than could be listed" in listing.remark()
