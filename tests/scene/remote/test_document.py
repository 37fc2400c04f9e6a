"""Documents from allowed hosts: items and answers of STAC."""

import pytest

from evals.remote.serving import https_files
from t2s_agent.errors import T2SError
from t2s_agent.scene.remote import document as module
from t2s_agent.scene.remote.address import Hosts
from t2s_agent.scene.remote.document import fetch_document


def answering(status, body=b"", **headers):
    def answer(handler, path):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def fetched(served, path="a.json", hosts=None):
    return fetch_document(f"{served.url}/{path}", hosts or Hosts(private=(served.host,)), ca_file=served.ca)


def test_a_document_of_an_allowed_host_is_read(tmp_path):
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    with https_files(tmp_path) as served:
        assert fetched(served) == "{}"
        with pytest.raises(T2SError, match="T2S_REMOTE_HOSTS"):
            fetched(served, hosts=Hosts())
        assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (answering(301, Location="https://other.example.org/?sig=SECRET"), "remote_refused"),
        (answering(404), "image_not_found"),
        (answering(500), "remote_failed"),
        (answering(200, b"\xff\xfe"), "remote_failed"),
        (answering(200, b"x" * 200), "limit_exceeded"),
    ],
)
def test_other_answers_are_said(tmp_path, monkeypatch, answer, code):
    monkeypatch.setattr(module, "_LARGEST", 100)
    with https_files(tmp_path, answer) as served, pytest.raises(T2SError) as caught:
        fetched(served, "a.json?sig=SECRET")
    assert caught.value.code == code
    assert "SECRET" not in str(caught.value)
