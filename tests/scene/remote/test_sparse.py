"""The sparse file of fetched ranges: what is fetched, what it takes on disk, and a read of what was not fetched."""

import os
from dataclasses import replace
from threading import Barrier, Lock

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import parse_address
from t2s_agent.scene.remote.client import Identity
from t2s_agent.scene.remote.limits import RemoteLimits
from t2s_agent.scene.remote.sparse import SparseFile

MIB = 2**20
CONTENT = os.urandom(8 * MIB)
ADDRESS = parse_address("https://example.org/a.tif")


class Counting:
    """A client without a network, which notes the ranges that it is asked for."""

    address = ADDRESS

    def __init__(self, content=CONTENT):
        self.content, self.asked, self.identity = content, [], Identity(len(content), "", "")

    def begin_read(self):
        pass

    def fetch(self, start, stop, sink):
        self.asked.append((start, stop))
        sink(start, self.content[start:stop])


@pytest.fixture
def client():
    return Counting()


@pytest.fixture
def file(client):
    made = SparseFile(client, RemoteLimits(cache_bytes=MIB, whole_bytes=2**30))
    client.asked.clear()
    yield made
    made.close()


def test_near_ranges_are_one_request_and_are_fetched_once(file, client):
    file.fetch([(MIB, MIB + 100), (MIB + 10_000, MIB + 10_100)])
    file.fetch([(MIB + 50, MIB + 200)])
    assert client.asked == [(MIB, MIB + 10_100)]
    assert file.reader().read(10) == CONTENT[:10]
    assert file.read_at(MIB + 150, 20) == CONTENT[MIB + 150 : MIB + 170]


def test_only_fetched_ranges_take_space(file):
    file.fetch([(4 * MIB, 4 * MIB + 1000)])
    held = os.fstat(file.descriptor)
    assert held.st_size == len(CONTENT)
    assert held.st_blocks * 512 <= 128 * 1024


def test_a_read_of_what_was_not_fetched_is_an_error_and_no_request(file, client):
    assert file.read_at(4 * MIB, 10) == b""
    assert client.asked == []
    with pytest.raises(T2SError, match="without being fetched") as caught:
        file.require_all_fetched()
    assert caught.value.code == "internal"
    file.require_all_fetched()  # said once


def test_the_cache_stays_within_its_budget_and_keeps_the_header(file, client):
    for start in range(MIB, 7 * MIB, MIB // 2):
        file.fetch([(start, start + MIB // 2)])
        assert file.read_at(start, MIB // 2) == CONTENT[start : start + MIB // 2]
        assert os.fstat(file.descriptor).st_blocks * 512 <= MIB + 65_536
    assert file.read_at(0, 100) == CONTENT[:100]


def test_a_read_larger_than_the_budget_is_refused_before_any_request(file, client):
    with pytest.raises(T2SError, match="T2S_REMOTE_CACHE_BYTES") as caught:
        file.fetch([(MIB, 3 * MIB)])
    assert caught.value.code == "limit_exceeded"
    assert client.asked == []


def test_many_ranges_are_fetched_with_the_gaps_between_them(client):
    file = SparseFile(client, RemoteLimits())
    client.asked.clear()
    file.fetch([(at, at + 10) for at in range(MIB, 8 * MIB, 70_000)])
    assert len(client.asked) == 1
    file.close()


def test_the_header_is_fetched_ahead(file, client):
    assert file.header(30_000, 40_000) == CONTENT[30_000:40_000]
    assert file.header(41_000, 60_000) == CONTENT[41_000:60_000]
    assert len(client.asked) == 1


def test_a_file_that_is_fetched_whole_has_a_limit(client):
    file = SparseFile(client, RemoteLimits(whole_bytes=MIB))
    with pytest.raises(T2SError, match="T2S_REMOTE_WHOLE_BYTES"):
        file.fetch_whole()
    file.close()
    whole = SparseFile(client, replace(RemoteLimits(), cache_bytes=1))
    whole.fetch_whole()
    assert whole.read_at(0, len(CONTENT)) == CONTENT
    whole.close()


def test_a_full_disk_is_said(file, monkeypatch):
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    with pytest.raises(T2SError, match="TMPDIR") as caught:
        file.fetch([(MIB, MIB + 100)])
    assert caught.value.code == "output_unwritable"


def test_an_empty_file_is_said():
    with pytest.raises(T2SError, match="is empty"):
        SparseFile(Counting(b""), RemoteLimits())


def test_the_file_object_reads_and_seeks_like_a_file(file):
    reader = file.reader()
    assert reader.seek(100) == 100
    assert (reader.read(5), reader.tell()) == (CONTENT[100:105], 105)
    assert reader.seek(-5, 1) == 100
    assert reader.seek(0, 2) == len(CONTENT)
    assert reader.read(5) == b""


FAR_APART = [(n * MIB, n * MIB + 100) for n in range(1, 7)]


class AtOnce(Counting):
    """Answers when so many requests are under way together; `most` counts them."""

    def __init__(self, together):
        super().__init__()
        self.meeting, self.lock, self.under_way, self.most = Barrier(together), Lock(), 0, 0

    def fetch(self, start, stop, sink):
        if start:
            with self.lock:
                self.under_way += 1
                self.most = max(self.most, self.under_way)
            self.meeting.wait(10)
            with self.lock:
                self.under_way -= 1
        super().fetch(start, stop, sink)


@pytest.mark.parametrize("together", [1, 2, 3])
def test_ranges_of_one_read_are_fetched_side_by_side_up_to_a_limit(together):
    client = AtOnce(together)
    file = SparseFile(client, RemoteLimits(at_once=together))
    file.fetch(FAR_APART)
    assert client.most == together
    assert sorted(client.asked[1:]) == FAR_APART
    assert [file.read_at(start, 100) for start, _ in FAR_APART] == [
        CONTENT[start : start + 100] for start, _ in FAR_APART
    ]
    file.close()


def test_an_error_of_one_range_is_raised_and_the_waiting_ones_are_not_asked_for(client):
    file = SparseFile(client, RemoteLimits(at_once=2))

    def broken(start, stop, sink):
        client.asked.append((start, stop))
        raise T2SError("remote_failed", f"{start}", "")

    client.asked.clear()
    client.fetch = broken
    with pytest.raises(T2SError, match=str(MIB)):
        file.fetch(FAR_APART)
    assert len(client.asked) < len(FAR_APART)
    file.close()
