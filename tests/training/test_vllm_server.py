"""Rollouts by vLLM are refused, with the way out, where they could not work."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from t2s_agent.errors import T2SError
from training import vllm_server
from training.recipe import load_recipe
from training.vllm_server import require_vllm


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(vllm_server, "is_vllm_available", lambda: True)


@pytest.fixture
def served():
    """The port of a server that is healthy."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_):
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_other_rollouts_need_no_server():
    require_vllm(load_recipe("think2seg-3b"))


def test_a_server_that_answers_is_enough(installed, served):
    require_vllm(load_recipe("vllm", [f"rollout.vllm.port={served}"]))


def test_without_a_server_the_message_says_how_to_start_it(installed, served):
    with pytest.raises(T2SError) as raised:
        require_vllm(load_recipe("vllm", ["rollout.vllm.port=1"]))
    assert raised.value.code == "endpoint_failed"
    assert "trl vllm-serve --model Qwen/Qwen2.5-VL-3B-Instruct --port 1" in raised.value.fix


def test_vllm_has_to_be_installed(monkeypatch):
    monkeypatch.setattr(vllm_server, "is_vllm_available", lambda: False)
    with pytest.raises(T2SError, match="not installed"):
        require_vllm(load_recipe("vllm"))


def test_vllm_in_the_training_process_needs_no_server(installed):
    require_vllm(load_recipe("vllm", ["rollout.vllm.mode=colocate", "rollout.vllm.port=1"]))
