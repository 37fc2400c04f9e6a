"""Scenes: what an argument names, and names that no machine changes."""

import shutil

import pytest

from t2s_agent.batch.questions import Question
from t2s_agent.batch.rows import rows_of
from t2s_agent.batch.scenes import address, find_scenes
from t2s_agent.errors import T2SError


def names(*given, **options):
    return [scene.name for scene in find_scenes([str(each) for each in given], **options)]


def test_a_folder_names_its_images_by_their_path_in_it(scenes):
    (scenes / "notes.md").write_text("x")
    (scenes / ".hidden.tif").write_bytes(b"x")
    assert names(scenes) == ["a.tif", "b.tif", "deeper/c.tif"]


def test_a_file_is_named_by_its_file_name_as_in_its_folder(scenes):
    assert names(scenes / "a.tif", scenes / "a.tif", scenes) == ["a.tif", "b.tif", "deeper/c.tif"]


def test_a_glob_names_by_the_path_from_the_folder_before_the_first_wildcard(scenes):
    assert names(scenes / "*.tif") == ["a.tif", "b.tif"]
    assert names(scenes / "**" / "*.tif") == ["a.tif", "b.tif", "deeper/c.tif"]
    assert names(scenes / "d*") == ["deeper/c.tif"]


def test_a_list_of_paths_counts_from_its_own_folder(scenes):
    (scenes / "list.txt").write_text("# two\ndeeper/c.tif\n\nmissing.tif\nhttps://u:p@example.org/x/d.tif?sig=1\n")
    assert names(scenes / "list.txt") == ["deeper/c.tif", "missing.tif", "https://example.org/x/d.tif"]


def test_an_address_is_named_without_password_and_signature():
    scene = address("https://u:p@example.org:8/a/b.tif?X-Amz-Signature=1#x")
    assert scene.name == "https://example.org:8/a/b.tif"
    assert scene.image.endswith("#x")


def test_two_scenes_of_one_name_are_refused_and_a_root_tells_them_apart(scenes, tmp_path):
    shutil.copy(scenes / "a.tif", scenes / "deeper" / "a.tif")
    with pytest.raises(T2SError, match=r"two scenes have the name 'a\.tif'"):
        names(scenes, scenes / "deeper")
    assert names(scenes / "a.tif", scenes / "deeper", root=tmp_path) == [
        "in/a.tif",
        "in/deeper/a.tif",
        "in/deeper/c.tif",
    ]
    with pytest.raises(T2SError, match="not below --root"):
        names(scenes, root=scenes / "deeper")


def test_results_are_not_scenes(scenes):
    (scenes / "out" / "r_0123456789abcdef01234567").mkdir(parents=True)
    shutil.copy(scenes / "a.tif", scenes / "out" / "r_0123456789abcdef01234567" / "mask.tif")
    shutil.copy(scenes / "a.tif", scenes / "out" / "x.tif")
    assert names(scenes) == ["a.tif", "b.tif", "deeper/c.tif", "out/x.tif"]
    assert names(scenes, leave_out=scenes / "out") == ["a.tif", "b.tif", "deeper/c.tif"]


def test_what_names_nothing_is_refused(tmp_path):
    with pytest.raises(T2SError, match="no file or folder") as error:
        names(tmp_path / "none")
    assert error.value.code == "image_not_found"
    with pytest.raises(T2SError, match="holds no images"):
        names(tmp_path)


def test_ids_are_the_same_for_a_copy_elsewhere_and_change_with_the_size_and_the_question(scenes, tmp_path):
    def ids(folder, text="Where?"):
        return [row.id for row in rows_of(find_scenes([str(folder)]), [Question("any", text)])]

    before = ids(scenes)
    shutil.copytree(scenes, tmp_path / "elsewhere")
    assert ids(tmp_path / "elsewhere") == before
    assert not set(ids(scenes, "Who?")) & set(before)
    with (scenes / "a.tif").open("ab") as file:
        file.write(b"\0")
    assert [new == old for new, old in zip(ids(scenes), before, strict=True)] == [False, True, True]


@pytest.mark.parametrize("name", ["dates.csv", "dates.JSONL"])
def test_a_list_of_pairs_without_that_it_is_one_is_no_image(tmp_path, name):
    (tmp_path / name).write_text("before,after\na.tif,b.tif\n")
    with pytest.raises(T2SError, match="Add --pair"):
        find_scenes([str(tmp_path / name)])


def test_a_folder_that_is_only_named_like_a_result_is_searched(tmp_path):
    (tmp_path / "r_20240101").mkdir()
    (tmp_path / "r_20240101" / "a.tif").touch()
    assert names(tmp_path) == ["r_20240101/a.tif"]
