"""The store: whole or not at all, one's own or nobody's, bounded."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stored.data import a_result, stored_result, words

from t2s_agent.errors import T2SError
from t2s_agent.results.record import Record, bounded_warnings, new_id
from t2s_agent.results.store import IdTaken, ResultStore

DATA = Path(__file__).parents[1] / "data"


def test_what_is_saved_comes_back(tmp_path):
    store, result = ResultStore(tmp_path), a_result()
    store.save(result, {"note.txt": words("hello")})
    assert store.load(result.id) == result
    assert store.artifact(result.id, "note.txt").read_text(encoding="utf-8") == "hello"
    assert [summary.id for summary in store.listed().results] == [result.id]


def test_somebody_elses_result_is_as_unknown_as_none(tmp_path):
    store, mine = ResultStore(tmp_path), a_result(owner="alice")
    store.save(mine, {})
    with pytest.raises(T2SError) as foreign:
        store.for_owner("bob").load(mine.id)
    with pytest.raises(T2SError) as absent:
        store.for_owner("bob").load("r_00000000abcd")
    assert foreign.value.code == absent.value.code == "result_unknown"
    assert foreign.value.fix == absent.value.fix
    assert store.for_owner("bob").listed() == ([], [])


@pytest.mark.parametrize("id_", ["../x", "r_1/../../x", "", "r_zzzzzzzzzzzz", "R_00000000abcd"])
def test_an_id_is_never_a_path(tmp_path, id_):
    with pytest.raises(T2SError) as caught:
        ResultStore(tmp_path).load(id_)
    assert caught.value.code == "result_unknown"


def test_an_artifact_is_a_name_and_never_a_path(tmp_path):
    store, result = ResultStore(tmp_path / "s"), a_result()
    store.save(result, {})
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    with pytest.raises(T2SError):
        store.artifact(result.id, "../../secret")


def test_a_failing_file_leaves_nothing(tmp_path):
    store = ResultStore(tmp_path)

    def full(path):
        path.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    with pytest.raises(T2SError) as caught:
        store.save(a_result(), {"mask.tif": full})
    assert caught.value.code == "output_unwritable"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_record_is_said_and_does_not_hide_the_others(tmp_path):
    store, good, bad = ResultStore(tmp_path), a_result(), a_result()
    store.save(good, {})
    store.save(bad, {})
    (tmp_path / bad.id / "record.json").write_text('{"id": 1', encoding="utf-8")
    assert ([summary.id for summary in store.listed().results], store.listed().damaged) == ([good.id], [bad.id])
    with pytest.raises(T2SError) as caught:
        store.load(bad.id)
    assert caught.value.code == "result_damaged"


def test_the_oldest_go_when_there_are_too_many_bytes_but_never_the_newest(tmp_path):
    store = ResultStore(tmp_path, max_bytes=3000)
    ids = [f"r_{i:08x}abcd" for i in range(4)]
    for id_ in ids:
        store.save(a_result(id=id_), {"fill": words("x" * 1500)})
    there = [summary.id for summary in store.listed().results]
    assert ids[-1] in there
    assert len(there) < 3
    small = ResultStore(tmp_path / "small", max_bytes=10)
    small.save(a_result(id=ids[0]), {"fill": words("x" * 100)})
    assert [summary.id for summary in small.listed().results] == [ids[0]]


def test_what_is_too_old_goes(tmp_path):
    store, result = ResultStore(tmp_path), a_result()
    store.save(result, {})
    os.utime(tmp_path / result.id, (time.time() - 3 * 86_400,) * 2)
    ResultStore(tmp_path, max_age_days=2)
    assert not (tmp_path / result.id).exists()


def test_an_old_id_is_still_loaded_and_new_ones_sort_by_time_after_it(tmp_path, monkeypatch):
    store = ResultStore(tmp_path)
    monkeypatch.setattr("t2s_agent.results.record.time.time", lambda: 0x69280000)
    old, new = a_result(id="r_6927ffffabcd"), a_result(id=new_id())
    for result in (new, old):
        store.save(result, {})
    assert store.load("r_6927ffffabcd") == old
    assert [folder.name for folder in sorted(tmp_path.glob("r_*"))] == [old.id, new.id]


def test_ids_of_one_second_have_64_bits_of_chance(monkeypatch):
    monkeypatch.setattr("t2s_agent.results.record.time.time", lambda: 0x69280000)
    ids = {new_id() for _ in range(5_000)}  # of 16 bits, some would be equal
    assert len(ids) == 5_000
    assert all(re.fullmatch(r"r_69280000[0-9a-f]{16}", id_) for id_ in ids)


def test_a_result_is_never_written_over(tmp_path):
    store, first = ResultStore(tmp_path), a_result(query="first")
    store.save(first, {"note.txt": words("hello")})
    with pytest.raises(IdTaken) as caught:
        store.save(a_result(id=first.id, query="second"), {"note.txt": words("other")})
    assert caught.value.code == "output_unwritable"
    assert store.load(first.id) == first
    assert store.artifact(first.id, "note.txt").read_text(encoding="utf-8") == "hello"
    assert not list(tmp_path.glob(".part-*"))


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_whatever_has_the_name_of_a_result_stays(tmp_path, there):
    place = tmp_path / "r_00000000abcd"
    if there == "folder":
        place.mkdir()
    elif there == "file":
        place.write_text("x", encoding="utf-8")
    else:
        place.symlink_to("nowhere")
    with pytest.raises(IdTaken):
        ResultStore(tmp_path).save(a_result(id=place.name), {})
    assert os.path.lexists(place)


def test_a_record_under_another_name_is_damaged(tmp_path):
    store, result = ResultStore(tmp_path), a_result()
    store.save(result, {}).rename(tmp_path / "r_00000000abcd")
    with pytest.raises(T2SError, match=f"result_damaged.*{result.id}"):
        store.load("r_00000000abcd")


IDS = ("r_00000001aaaa", "r_00000001aabb", "r_00000002cccc")


def test_a_beginning_that_fits_one_result_stands_for_it(tmp_path):
    store = ResultStore(tmp_path)
    for id_ in IDS:
        store.save(a_result(id=id_), {"note.txt": words(id_)})
    assert store.load("r_00000002").id == IDS[2]
    assert store.load("r_00000001aaa").id == IDS[0]
    assert store.artifact("r_00000001aab", "note.txt").read_text(encoding="utf-8") == IDS[1]


def test_a_whole_id_is_meant_where_it_is_also_the_beginning_of_another(tmp_path):
    store = ResultStore(tmp_path)
    for id_ in ("r_00000001aaaa", "r_00000001aaaabbbb"):
        store.save(a_result(id=id_), {})
    assert store.load("r_00000001aaaa").id == "r_00000001aaaa"


def test_a_beginning_that_fits_several_names_them(tmp_path):
    store = ResultStore(tmp_path)
    for id_ in IDS:
        store.save(a_result(id=id_), {})
    with pytest.raises(T2SError) as caught:
        store.load("r_00000001")
    assert str(caught.value) == (
        "result_unknown: 2 results begin with r_00000001. Give more of the id: r_00000001aabb, r_00000001aaaa."
    )


def test_a_beginning_never_finds_or_names_what_is_somebody_elses(tmp_path):
    store = ResultStore(tmp_path)
    for id_, owner in zip(IDS, ("alice", "bob", "alice"), strict=True):
        store.save(a_result(id=id_, owner=owner), {})
    assert store.for_owner("alice").load("r_00000001").id == IDS[0]
    with pytest.raises(T2SError) as caught:
        store.for_owner("bob").load("r_00000002")
    assert "r_00000002cccc" not in str(caught.value)
    assert "r_00000001aabb" in str(caught.value)


@pytest.mark.parametrize(
    ("id_", "said"),
    [("", "is empty"), ("r_000", "4 digits"), ("r_", "4 digits"), ("0000000", "no result"), ("r_0*", "no")],
)
def test_what_is_no_beginning_of_an_id_is_said(tmp_path, id_, said):
    store = ResultStore(tmp_path)
    store.save(a_result(id=IDS[0]), {})
    with pytest.raises(T2SError, match=said):
        store.load(id_)


READER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from stored.data import a_result, stored_result, words
from t2s_agent.errors import T2SError
from t2s_agent.results.store import ResultStore
store = ResultStore(Path(sys.argv[1]), max_bytes=1, max_age_days=1)
(one,), _ = store.listed()
assert store.load(one.id[:12]).id == one.id
assert store.artifact(one.id, "note.txt").read_text() == "hello"
for work in (store.require_writable, lambda: store.save(a_result(), {}), lambda: store.delete(one.id)):
    try:
        work()
    except T2SError as error:
        print(error.code)
"""


@pytest.mark.parametrize("index", ["with its index", "without an index"])
def test_a_store_on_a_read_only_mount_is_read_and_only_writing_fails(tmp_path, index):
    folder = tmp_path / "store"
    ResultStore(folder).save(a_result(), {"note.txt": words("hello")})
    if index == "without an index":
        (folder / ".index.jsonl").unlink()
    (folder / ".part-0123").mkdir()
    os.utime(folder / ".part-0123", (0, 0))  # would be swept elsewhere
    mount = ["unshare", "-rm", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"']
    if shutil.which("unshare") is None or subprocess.run([*mount, folder, "true"], check=False).returncode:
        pytest.skip("no user namespaces with mounts here")
    before = sorted(folder.iterdir())
    command = [*mount, folder, sys.executable, "-c", READER, folder, DATA]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["output_unwritable"] * 3, "")
    assert sorted(folder.iterdir()) == before


def test_a_store_that_is_not_there_is_empty_and_is_made_by_the_first_save(tmp_path):
    folder = tmp_path / "a" / "b"
    store = ResultStore(folder)
    assert store.listed() == ([], [])
    with pytest.raises(T2SError, match="Make one first"):
        store.load("r_00000000abcd")
    assert not folder.parent.exists()
    store.save(a_result(), {})
    assert len(store.listed().results) == 1


def test_a_store_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(T2SError, match=r"cannot be read \(Not a directory\)"):
        ResultStore(tmp_path / "file").listed()
    with pytest.raises(T2SError, match="output_unwritable"):
        ResultStore(tmp_path / "file").require_writable()


def test_looking_at_a_store_drops_nothing_from_it(tmp_path):
    """A command that only lists knows no limits, so it must not apply some of its own."""
    store, result = ResultStore(tmp_path), a_result()
    store.save(result, {})
    os.utime(tmp_path / result.id, (0, 0))
    assert [summary.id for summary in ResultStore(tmp_path).listed().results] == [result.id]


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from stored.data import a_result, stored_result, words
from t2s_agent.results.store import ResultStore
store = ResultStore(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    store.save(a_result(), {f"file{i}": words("x" * 20_000) for i in range(5)})
"""


@pytest.mark.slow
def test_the_store_is_whole_after_kill_9_twenty_times(tmp_path):
    for attempt in range(20):
        command = [sys.executable, "-c", WRITER, str(tmp_path), DATA]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(0.02 + 0.01 * attempt)  # somewhere within a write
            process.send_signal(signal.SIGKILL)
        store = ResultStore(tmp_path)
        results, damaged = store.listed()
        assert damaged == []
        assert not list(tmp_path.glob(".part-*"))
        for result in results:
            assert len(list((tmp_path / result.id).iterdir())) == 6
    assert results


def test_warnings_are_bounded():
    assert len(bounded_warnings(tuple(map(str, range(100))))) == 41


def test_a_record_refuses_fields_that_nobody_knows():
    with pytest.raises(ValueError, match="extra"):
        Record.model_validate(a_result().model_dump() | {"forged": 1})


def test_a_record_comes_back_from_its_json():
    result = a_result(parameters={"keep": [1, 2]}, warnings=("one",))
    assert Record.model_validate_json(result.model_dump_json()) == result


def test_a_deleted_result_is_gone_with_its_files_and_only_its_owner_may_delete_it(tmp_path):
    store, mine, other = ResultStore(tmp_path), a_result(owner="alice"), a_result(owner="alice")
    store.save(mine, {"note.txt": words("hello")})
    store.save(other, {"note.txt": words("hello")})
    with pytest.raises(T2SError) as foreign:
        store.for_owner("bob").delete(mine.id)
    assert (foreign.value.code, len(store.for_owner("alice").listed().results)) == ("result_unknown", 2)
    assert store.for_owner("alice").delete(mine.id[:20]) == mine.id
    assert [summary.id for summary in store.for_owner("alice").listed().results] == [other.id]
    assert {f.name for f in tmp_path.iterdir()} == {other.id, ".lock", ".index.jsonl"}
    with pytest.raises(T2SError) as again:
        store.for_owner("alice").delete(mine.id)
    assert again.value.code == "result_unknown"


@pytest.mark.parametrize("indent", [1, None])
def test_a_record_is_read_without_its_regions_too(tmp_path, indent):
    boxes = [(2, 2, 6, 6), (10, 10, 16, 16)]
    record, folder = stored_result(tmp_path / "r_00000001", boxes, id="r_00000001", query=' "regions": [\n ],')
    (folder / "record.json").write_text(record.model_dump_json(indent=indent), encoding="utf-8")
    without = ResultStore(tmp_path).load("r_0000", regions=False)
    assert without == record.model_copy(update={"regions": ()})
    assert len(ResultStore(tmp_path).load("r_0000").regions) == 2


def test_a_record_without_its_regions_costs_none_of_the_time_and_memory_of_regions(tmp_path):
    record, folder = stored_result(tmp_path / "r_00000001", [(2, 2, 6, 6)], id="r_00000001")
    text = record.model_dump_json(indent=1).replace('"perimeter": ', '"perimeter": not even JSON ')
    (folder / "record.json").write_text(text, encoding="utf-8")
    assert ResultStore(tmp_path).load("r_00000001", regions=False).query == record.query


def test_a_name_is_given_by_the_owner_only_and_leaves_the_record_as_it_is(tmp_path):
    store, mine = ResultStore(tmp_path, "alice"), a_result(owner="alice")
    store.save(mine, {})
    assert store.rename(mine.id[:20], "North quay") == "North quay" == store.name_of(mine.id)
    assert store.load(mine.id) == mine
    with pytest.raises(T2SError) as foreign:
        store.for_owner("bob").rename(mine.id, "taken")
    assert (foreign.value.code, store.name_of(mine.id)) == ("result_unknown", "North quay")
    assert store.name_of("../x") == ""
