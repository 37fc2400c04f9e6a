"""The store: whole or not at all, one's own or nobody's, bounded."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.results.record import ModelReference, Prompted, Result, SceneReference, bounded_warnings, new_id
from t2s_agent.results.store import ResultStore


def a_result(**changes):
    scene = SceneReference(
        name="a.tif", path="a.tif", width=4, height=4, window=(0, 0, 4, 4), view_size=(4, 4), bands=(1, 2, 3),
        max_size=1024, pixels_sha256="0", valid_share=1.0,
    )  # fmt: skip
    nano = ModelReference(name="nano")
    given = {
        "id": new_id(), "operation": "segment", "query": "q", "status": "empty", "scene": scene, "prompter": nano,
        "segmenter": nano, "prompted": Prompted(), "located": True, "unit_area": "m2", "unit_length": "m", "method": "m",
        "total_area": 0.0, "total_area_pm": 0.0,
    }  # fmt: skip
    return Result(**(given | changes))


def words(text):
    return lambda path: path.write_text(text, encoding="utf-8")


def test_what_is_saved_comes_back(tmp_path):
    store, result = ResultStore(tmp_path), a_result()
    store.save(result, {"note.txt": words("hello")})
    assert store.load(result.id) == result
    assert store.artifact(result.id, "note.txt").read_text(encoding="utf-8") == "hello"
    assert store.listed() == ([result], [])


def test_somebody_elses_result_is_as_unknown_as_none(tmp_path):
    store, mine = ResultStore(tmp_path), a_result(owner="alice")
    store.save(mine, {})
    with pytest.raises(T2SError) as foreign:
        store.load(mine.id, "bob")
    with pytest.raises(T2SError) as absent:
        store.load("r_00000000abcd", "bob")
    assert foreign.value.code == absent.value.code == "result_unknown"
    assert foreign.value.fix == absent.value.fix
    assert store.listed("bob") == ([], [])


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
    assert [f.name for f in tmp_path.iterdir() if f.name != ".lock"] == []


def test_a_damaged_record_is_said_and_does_not_hide_the_others(tmp_path):
    store, good, bad = ResultStore(tmp_path), a_result(), a_result()
    store.save(good, {})
    store.save(bad, {})
    (tmp_path / bad.id / "record.json").write_text('{"id": 1', encoding="utf-8")
    assert store.listed() == ([good], [bad.id])
    with pytest.raises(T2SError) as caught:
        store.load(bad.id)
    assert caught.value.code == "result_damaged"


def test_the_oldest_go_when_there_are_too_many_bytes_but_never_the_newest(tmp_path):
    store = ResultStore(tmp_path, max_bytes=3000)
    ids = [f"r_{i:08x}abcd" for i in range(4)]
    for id_ in ids:
        store.save(a_result(id=id_), {"fill": words("x" * 1500)})
    assert store.ids()[-1] == ids[-1]
    assert len(store.ids()) < 3
    small = ResultStore(tmp_path / "small", max_bytes=10)
    small.save(a_result(id=ids[0]), {"fill": words("x" * 100)})
    assert small.ids() == [ids[0]]


def test_what_is_too_old_goes(tmp_path):
    store, result = ResultStore(tmp_path), a_result()
    store.save(result, {})
    os.utime(tmp_path / result.id, (time.time() - 3 * 86_400,) * 2)
    ResultStore(tmp_path, max_age_days=2)
    assert not (tmp_path / result.id).exists()


def test_a_start_sweeps_what_a_dead_process_left_and_spares_the_living(tmp_path):
    ResultStore(tmp_path)
    dead, living = tmp_path / ".part-999999999-r_00000000abcd", tmp_path / ".part-1-r_00000000abcd"
    dead.mkdir()
    living.mkdir()
    ResultStore(tmp_path)
    assert not dead.exists()
    assert living.exists()


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from test_store import ResultStore, a_result, words
store = ResultStore(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    store.save(a_result(), {f"file{i}": words("x" * 20_000) for i in range(5)})
"""


@pytest.mark.slow
def test_the_store_is_whole_after_kill_9_twenty_times(tmp_path):
    for attempt in range(20):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent)]
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
        Result.model_validate(a_result().model_dump() | {"forged": 1})


def test_a_record_comes_back_from_its_json():
    result = a_result(parameters={"keep": [1, 2]}, warnings=("one",))
    assert Result.model_validate_json(result.model_dump_json()) == result


def test_a_deleted_result_is_gone_with_its_files_and_only_its_owner_may_delete_it(tmp_path):
    store, mine, other = ResultStore(tmp_path), a_result(owner="alice"), a_result(owner="alice")
    store.save(mine, {"note.txt": words("hello")})
    store.save(other, {"note.txt": words("hello")})
    with pytest.raises(T2SError) as foreign:
        store.delete(mine.id, "bob")
    assert (foreign.value.code, len(store.listed("alice")[0])) == ("result_unknown", 2)
    store.delete(mine.id, "alice")
    assert store.listed("alice") == ([other], [])
    assert {f.name for f in tmp_path.iterdir()} == {other.id, ".lock"}
    with pytest.raises(T2SError) as again:
        store.delete(mine.id, "alice")
    assert again.value.code == "result_unknown"
