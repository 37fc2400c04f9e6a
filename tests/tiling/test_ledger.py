"""A ledger holds each window whole or not at all, and is found again after its process was killed."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from hypothesis import given, strategies
from hypothesis.extra.numpy import arrays

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.tiling.ledger import FOLDER, Found, Ledger, Looked, forget, ledger_of

TANK = Instance((1.0, 2.0, 3.0, 4.0), ((1.5, 2.5),), label="tank", score=0.5)


def found(pixels=((True, False), (True, True)), x=5, y=7, score=0.75):
    return Found(Mask(np.array(pixels, bool), x, y), score, 0.1, TANK)


@pytest.fixture
def ledger(tmp_path):
    with ledger_of(tmp_path, "key") as opened:
        yield opened


def test_pieces_come_back_as_they_were(ledger):
    ledger.add(Looked(3, "found", "digest", tokens=12), [found(), found(x=9)])
    first, second = ledger.pieces_of(3)
    assert (first.tile, first.mask.x, first.mask.y, first.score) == (3, 5, 7, 0.75)
    assert first.mask.pixels.tolist() == [[True, False], [True, True]]
    assert second.mask.x == 9
    assert ledger.about(second.id).instance == TANK
    assert [each.tokens for each in ledger.windows()] == [12]


@given(arrays(bool, strategies.tuples(strategies.integers(1, 9), strategies.integers(1, 9))))
def test_any_mask_comes_back(tmp_path_factory, pixels):
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite")
    ledger.add(Looked(0, "found"), [found(pixels)])
    assert (ledger.pieces_of(0)[0].mask.pixels == pixels).all()
    ledger.close()


def test_a_score_that_is_not_known_stays_unknown(ledger):
    ledger.add(Looked(0, "found"), [found(score=float("nan"))])
    assert ledger.about(ledger.pieces_of(0)[0].id).score is None


def test_a_window_that_was_not_looked_at_has_no_pieces_and_an_empty_one_has_none_of_them(ledger):
    ledger.add(Looked(0, "empty"))
    ledger.add(Looked(1, "failed", code="model_failed", message="no memory"))
    assert ledger.pieces_of(0) == []
    assert ledger.pieces_of(1) is None
    assert ledger.pieces_of(2) is None
    assert ledger.statuses() == {0: "empty", 1: "failed"}


def test_a_window_that_is_looked_at_again_replaces_what_was_there(ledger):
    ledger.add(Looked(0, "found", tokens=5), [found(), found()])
    ledger.add(Looked(0, "found", tokens=7), [found()])
    assert len(ledger.pieces_of(0)) == 1
    assert ledger.tokens() == 7


def test_a_process_with_the_same_question_has_a_ledger_of_its_own(tmp_path, ledger):
    ledger.add(Looked(0, "empty"))
    with ledger_of(tmp_path, "key", patience_s=0.0) as other:
        assert other.statuses() == {}
    with ledger_of(tmp_path, "another") as other:
        assert other.statuses() == {}


def test_work_that_was_stopped_and_still_ends_is_waited_for(tmp_path):
    begun = threading.Event()

    def stopped():
        with ledger_of(tmp_path, "key") as first:
            first.add(Looked(0, "empty"))
            begun.set()
            time.sleep(0.4)

    other = threading.Thread(target=stopped)
    other.start()
    begun.wait()
    with ledger_of(tmp_path, "key") as second:
        assert second.statuses() == {0: "empty"}
    other.join()


def test_what_was_done_before_is_there_again_until_it_is_forgotten(tmp_path):
    with ledger_of(tmp_path, "key") as first:
        first.add(Looked(0, "empty"))
        first.remember("promising", [[1, 2, 3, 4]])
    with ledger_of(tmp_path, "key") as second:
        assert second.statuses() == {0: "empty"}
        assert second.remembered("promising") == [[1, 2, 3, 4]]
        assert second.remembered("other") is None
        forget(tmp_path, second)
    with ledger_of(tmp_path, "key") as third:
        assert third.statuses() == {}


def test_ledgers_that_nobody_went_on_with_are_removed(tmp_path):
    with ledger_of(tmp_path, "old") as old:
        old.add(Looked(0, "empty"))
    long_ago = time.time() - 30 * 86_400
    for path in (*(tmp_path / FOLDER / "old").iterdir(), tmp_path / FOLDER / "old"):
        os.utime(path, (long_ago, long_ago))
    with ledger_of(tmp_path, "new"):
        assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["new"]


def test_a_full_disk_is_told_and_what_was_there_stays(ledger):
    ledger.add(Looked(0, "empty"))
    pages = ledger._database.execute("pragma page_count").fetchone()[0]
    ledger._database.execute(f"pragma max_page_count = {pages}")
    noise = np.random.default_rng(0).integers(0, 2, (999, 999)).astype(bool)
    with pytest.raises(T2SError, match="output_unwritable"):
        ledger.add(Looked(1, "found"), [found(noise)])
    assert ledger.statuses() == {0: "empty"}


def test_a_killed_process_leaves_whole_windows_only(tmp_path):
    code = textwrap.dedent(f"""
        from pathlib import Path
        import numpy as np
        from t2s_agent.instance import Instance
        from t2s_agent.mask import Mask
        from t2s_agent.tiling.ledger import Found, Looked, ledger_of
        with ledger_of(Path({str(tmp_path)!r}), "key") as ledger:
            print("ready", flush=True)
            for index in range(10**6):
                piece = Found(Mask(np.ones((20, 20), bool), 0, 0), 0.5, 0.1, Instance((0.0, 0.0, 1.0, 1.0)))
                ledger.add(Looked(index, "found"), [piece] * 50)
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    with ledger_of(tmp_path, "key") as ledger:
        done = ledger.statuses()
        assert done
        assert all(len(ledger.pieces_of(index)) == 50 for index in done)
        assert ledger.pieces() == 50 * len(done)
