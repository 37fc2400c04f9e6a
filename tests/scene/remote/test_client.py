"""Ranges from servers that answer well, and from servers that do not."""

import socket
import time
from dataclasses import replace

import pytest

from evals.remote.serving import asked_range, https_files, ranged
from t2s_agent.errors import T2SError
from t2s_agent.scene.remote import client as module
from t2s_agent.scene.remote.address import Hosts, parse_address
from t2s_agent.scene.remote.client import RemoteClient
from t2s_agent.scene.remote.limits import RemoteLimits

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
LIMITS = RemoteLimits(request_seconds=5)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch):
    monkeypatch.setattr(module, "_WAITS", (0.0, 0.0))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    return tmp_path


def client_of(served, limits=LIMITS, query=""):
    address = parse_address(f"{served.url}/a.bin{query}")
    return RemoteClient(address, Hosts(private=(served.host,)), limits, ca_file=served.ca)


def fetch(client, start, stop):
    got = bytearray()
    client.fetch(start, stop, lambda at, part: got.extend(part))
    return bytes(got)


def refusal(folder, answer, *ranges, limits=LIMITS, query=""):
    """The error of fetching ranges from a server that answers so, and the number of requests that it got."""
    with https_files(folder, answer) as served:
        client = client_of(served, limits, query)
        try:
            *before, last = ranges or ((0, 100),)
            for each in before:
                fetch(client, *each)
            with pytest.raises(T2SError) as caught:
                fetch(client, *last)
        finally:
            client.close()
        return caught.value, len(served.requests)


def status(code, **headers):
    """A server that answers with a status, without a body."""

    def answer(handler, path):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def partial(content, said, sent=None):
    """A server that says in its headers `said` (Content-Range) and sends `content`; `sent` is the length it says."""

    def answer(handler, path):
        handler.send_response(206)
        handler.send_header("Content-Range", said)
        handler.send_header("Content-Length", str(len(content) if sent is None else sent))
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True

    return answer


def test_ranges_come_over_one_connection_and_tell_the_length(folder):
    with https_files(folder) as served:
        client = client_of(served)
        assert fetch(client, 0, 300) == CONTENT[:300]
        assert fetch(client, 102_000, 110_000) == CONTENT[102_000:]
        client.close()
        assert client.identity.length == len(CONTENT)
        assert (client.requests, client.received) == (2, 700)
    assert served.requests == [("/a.bin", "bytes=0-299"), ("/a.bin", "bytes=102000-109999")]


def test_a_signature_is_sent_and_not_said(folder):
    error, _ = refusal(folder, status(403), query="?sig=SECRET")
    assert error.code == "remote_failed"
    assert "SECRET" not in str(error)
    with https_files(folder) as served:
        client = client_of(served, query="?sig=SECRET")
        fetch(client, 0, 10)
        client.close()
        assert served.requests[0][0] == "/a.bin?sig=SECRET"


def test_a_server_without_ranges_is_believed_for_the_whole_file(folder):
    def whole(handler, path):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT)

    with https_files(folder, whole) as served:
        client = client_of(served)
        assert fetch(client, 0, 300) == CONTENT
        client.close()
        assert client.identity.length == len(CONTENT)
    error, _ = refusal(folder, whole, limits=replace(LIMITS, whole_bytes=1000))
    assert (error.code, "T2S_REMOTE_WHOLE_BYTES" in error.fix) == ("limit_exceeded", True)


def test_an_endless_answer_ends_at_the_limit(folder):
    def endless(handler, path):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(CONTENT)

    error, _ = refusal(folder, endless, limits=replace(LIMITS, whole_bytes=500_000))
    assert error.code == "limit_exceeded"


def test_a_redirect_is_not_followed_and_said_without_its_signature(folder):
    error, requests = refusal(folder, status(302, Location="https://other.example.org/b.tif?sig=SECRET"))
    assert error.code == "remote_refused"
    assert "https://other.example.org/b.tif" in str(error)
    assert "SECRET" not in str(error)
    assert requests == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (404, "image_not_found"),
        (401, "remote_failed"),
        (410, "image_not_found"),
        (416, "image_unreadable"),
        (418, "remote_failed"),
    ],
)
def test_statuses_are_told_apart_and_not_tried_again(folder, code, expected):
    error, requests = refusal(folder, status(code))
    assert (error.code, requests) == (expected, 1)


def test_a_busy_server_is_asked_three_times(folder):
    error, requests = refusal(folder, status(503))
    assert (error.code, requests) == ("remote_failed", 3)


def test_a_connection_that_breaks_is_made_again(folder):
    def second_time(handler, path):
        if len(handler.served.requests) == 1:
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            ranged(handler, path)

    with https_files(folder, second_time) as served:
        client = client_of(served)
        assert fetch(client, 5, 15) == CONTENT[5:15]
        client.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (partial(CONTENT[:100], "bytes 0-99/*"), "the range"),
        (partial(CONTENT[:100], "nothing"), "the range"),
        (partial(CONTENT[:100], "bytes 1-100/102400"), "bytes 1-100"),
        (partial(CONTENT[:50], "bytes 0-49/102400"), "bytes 0-49"),
        (partial(CONTENT[:200], "bytes 0-99/102400"), "says 200 bytes"),
        (partial(CONTENT[:60], "bytes 0-99/102400", sent=100), "broke the connection off"),
        (status(206, Content_Range="bytes 0-99/102400", Content_Encoding="gzip"), "compressed"),
        (status(206, X="y" * 40_000), "long header"),
    ],
)
def test_a_server_that_says_what_is_not_true_is_noticed(folder, answer, words):
    error, _ = refusal(folder, answer)
    assert error.code == "remote_failed"
    assert words in str(error)


def test_a_server_that_forgets_ranges_later_is_noticed(folder):
    def once(handler, path):
        if len(handler.served.requests) == 1:
            ranged(handler, path)
        else:
            status(200)(handler, path)

    error, _ = refusal(folder, once, (0, 100), (200, 300))
    assert (error.code, "whole file" in str(error)) == ("remote_failed", True)


@pytest.mark.parametrize("change", ["length", "etag", "date", "412", "416"])
def test_a_file_that_changes_between_two_requests_is_noticed(folder, change):
    def changing(handler, path):
        later = len(handler.served.requests) > 1
        if later and change in ("412", "416"):
            status(int(change))(handler, path)
            return
        size = len(CONTENT) + (later and change == "length")
        start, stop = asked_range(handler, size)
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        handler.send_header("Content-Length", str(stop - start))
        handler.send_header("ETag", '"b"' if later and change == "etag" else '"a"')
        handler.send_header("Last-Modified", f"Sat, 28 Nov 2026 08:0{int(later and change == 'date')}:00 GMT")
        handler.end_headers()
        handler.wfile.write(CONTENT[start:stop])

    error, requests = refusal(folder, changing, (0, 100), (200, 300))
    assert (error.code, requests) == ("remote_changed", 2)


def test_a_strong_etag_is_sent_back(folder):
    sent = []

    def noting(handler, path):
        sent.append(handler.headers.get("If-Match"))
        ranged(handler, path)

    with https_files(folder, noting) as served:
        client = client_of(served)
        fetch(client, 0, 10)
        fetch(client, 20, 30)
        client.close()
    assert sent == [None, client.identity.etag]


def test_a_server_that_hangs_is_left_within_the_time_limit(folder):
    error, _ = refusal(folder, lambda handler, path: time.sleep(2), limits=replace(LIMITS, request_seconds=0.3))
    assert (error.code, "did not answer within 0.3 s" in str(error)) == ("remote_failed", True)


def test_a_server_that_sends_a_byte_at_a_time_is_left_within_the_time_limit(folder):
    def dripping(handler, path):
        handler.send_response(206)
        for byte in b"Content-Range: bytes 0-99/102400":
            handler.flush_headers()
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    began = time.monotonic()
    error, _ = refusal(folder, dripping, limits=replace(LIMITS, request_seconds=0.5))
    assert error.code == "remote_failed"
    assert time.monotonic() - began < 1.4


def test_the_requests_of_an_image_are_limited(folder):
    error, requests = refusal(folder, ranged, (0, 9), (20, 29), (40, 49), limits=replace(LIMITS, requests=2))
    assert (error.code, requests) == ("limit_exceeded", 2)


def test_the_bytes_of_an_image_are_limited(folder):
    error, _ = refusal(folder, ranged, (0, 900), (1000, 1900), limits=replace(LIMITS, received_bytes=1000))
    assert error.code == "limit_exceeded"


def test_a_server_that_is_not_there_is_said():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    client = RemoteClient(parse_address(f"https://{host}/a.tif"), Hosts(private=(host,)), LIMITS)
    with pytest.raises(T2SError, match="cannot be reached") as caught:
        fetch(client, 0, 10)
    client.close()
    assert caught.value.code == "remote_failed"


def test_a_wrong_certificate_is_refused_with_the_setting_for_ones_own(folder):
    with https_files(folder) as served:
        client = RemoteClient(parse_address(f"{served.url}/a.bin"), Hosts(private=(served.host,)), LIMITS)
        with pytest.raises(T2SError, match="T2S_REMOTE_CA_FILE") as caught:
            fetch(client, 0, 10)
        client.close()
    assert caught.value.code == "remote_refused"
    assert served.requests == []
