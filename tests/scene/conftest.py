"""The makers of rasters, loaded by path, and a server on loopback that counts who calls."""

import http.server
import importlib.util
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest


def _loaded(name):
    path = Path(__file__).parents[1] / "data" / name / "data.py"
    spec = importlib.util.spec_from_file_location(f"{name}_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make():
    """Functions that write tiny rasters."""
    return _loaded("rasters")


@pytest.fixture(scope="session")
def sensors():
    """Functions that write tiny files of satellites and cameras."""
    return _loaded("sensors")


@pytest.fixture
def caller():
    """A server that answers 404; `caller.requests` lists the paths that were asked for, `caller.url` is its address."""

    class Count(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    requests: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Count) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield SimpleNamespace(requests=requests, url=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
