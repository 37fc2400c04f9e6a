"""What agent frameworks make of our tools: python -m tests.clients.matrix [NAME ...] [--venvs FOLDER].

Serves the demo scene once, with scripted answers and the box segmenter, so that no model and no torch is needed. Each script of
`frameworks/` then runs in an environment of its own, made in a temporary folder (or in FOLDER, which is kept, so that the next
run installs nothing) from the versions that the script names. Prints a table in Markdown. `uv` is used where it is on the path.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.clients.adapter import MARK
from tests.clients.stage import set_scripted

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "frameworks"
COLUMNS = {
    "name": "framework",
    "mcp": "its own mcp",
    "era": "era",
    "listed": "listed",
    "schema": "schema",
    "called": "called",
    "picture": "picture",
    "structured": "structured content",
    "error": "error seen as",
    "misspelt": "misspelt name",
    "links": "answer with links",
    "null": "null for what is left out",
    "progress": "asks for progress",
    "called_by": "its name",
}
_LONGEST_S = 180  # of one framework's acts, on a busy machine
# `python -m tests.clients.frameworks.NAME` does the same, but some environments have another package called tests
_START = """
import runpy, sys, types
sys.modules["tests"] = package = types.ModuleType("tests")
package.__path__ = [{tests!r}]
runpy.run_module("tests.clients.frameworks.{name}", run_name="__main__")
"""


def requirements_of(script: Path) -> list[str]:
    """What a script needs, from its inline metadata (PEP 723)."""
    block = re.search(r"(?m)^# /// script\n((?:#.*\n)+?)# ///$", script.read_text(encoding="utf-8"))
    assert block, f"{script.name} names no versions"
    lines = [line.removeprefix("#").removeprefix(" ") for line in block[1].splitlines()]
    return list(tomllib.loads("\n".join(lines))["dependencies"])


@dataclass
class Wire:
    """The application, and what went over the wire since `forget`."""

    app: Any
    eras: set[str] = field(default_factory=set)
    progress: bool = False
    names: set[str] = field(default_factory=set)

    def forget(self) -> None:
        self.eras, self.progress, self.names = set(), False, set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""

        async def noted() -> Any:
            nonlocal body
            message = await receive()
            if message["type"] == "http.request":
                body += message.get("body", b"")
                if body and not message.get("more_body"):
                    self._note(dict(scope["headers"]), json.loads(body))
            return message

        await self.app(scope, noted if scope["type"] == "http" else receive, send)

    def _note(self, headers: dict[bytes, bytes], asked: dict[str, Any]) -> None:
        params = asked.get("params", {})
        told = params.get("clientInfo") or params.get("_meta", {}).get("io.modelcontextprotocol/clientInfo")
        if told:
            self.names.add(told["name"])
        if asked.get("method") != "tools/call":
            return
        self.eras.add(headers.get(b"mcp-protocol-version", b"none").decode())
        self.progress |= "progressToken" in params.get("_meta", {})


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Wire]]:
    """Our server over HTTP on a free port of loopback: its address, and what goes over the wire."""
    import uvicorn

    from t2s_agent.server.build import build_server
    from t2s_agent.server.http import build_app
    from t2s_agent.settings import load_settings

    settings = load_settings(**set_scripted(folder), preload=False, rate_per_minute=0)
    wire = Wire(build_app(build_server(settings), settings))
    server = uvicorn.Server(uvicorn.Config(wire, port=0, log_level="warning"))
    started = threading.Event()
    notify = server.startup

    async def startup(sockets: Any = None) -> None:
        await notify(sockets)
        started.set()

    server.startup = startup  # type: ignore[method-assign]  # uvicorn has no event for it
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(60), "the server did not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp", wire
    finally:
        server.should_exit = True
        thread.join()


def installed(script: Path, folder: Path) -> Path:
    """The Python of an environment that has what a script needs; made where it is not there yet."""
    python = folder / script.stem / "bin" / "python"
    ready = folder / script.stem / "ready"
    wanted = "\n".join(requirements_of(script))
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(folder / script.stem, system_site_packages=False, clear=True)
    uv = shutil.which("uv")
    pip = [uv, "pip", "install", "--python"] if uv else [sys.executable, "-m", "pip", "--python"]
    order = [*pip, str(python), *([] if uv else ["install"]), "--quiet", *wanted.splitlines()]
    subprocess.run(order, check=True)
    ready.write_text(wanted, encoding="utf-8")
    return python


def seen_by(script: Path, python: Path, url: str, wire: Wire) -> dict[str, Any]:
    """What one framework made of the tools, with what went over the wire."""
    wire.forget()
    home = python.parents[1] / "home"  # some frameworks write settings there
    home.mkdir(exist_ok=True)
    order = [str(python), "-c", _START.format(tests=str(ROOT / "tests"), name=script.stem), url]
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environment |= {"HOME": str(home), "NO_PROXY": "127.0.0.1", "PYTHONUTF8": "1"}
    try:
        ran = subprocess.run(order, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        return {"called": f"no: not done after {_LONGEST_S} s"}
    lines = [line.removeprefix(MARK) for line in ran.stdout.splitlines() if line.startswith(MARK)]
    if not lines:
        print(ran.stdout[-2000:], ran.stderr[-4000:], file=sys.stderr)
        return {"called": f"no: {(ran.stderr.strip().splitlines() or ['nothing printed'])[-1][:200]}"}
    return json.loads(lines[-1]) | {
        "era": ", ".join(sorted(wire.eras)),
        "progress": wire.progress,
        "called_by": ", ".join(sorted(wire.names)),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The table in Markdown."""
    lines = [list(COLUMNS.values()), ["---"] * len(COLUMNS)]
    lines += [[_cell(row.get(key, "")) for key in COLUMNS] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(value: Any) -> str:
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return " ".join(text.replace("|", "/").split())


def main() -> None:
    scripts = {path.stem: path for path in sorted(SCRIPTS.glob("*.py"))}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(scripts)}; none: all of them")
    parser.add_argument("--venvs", type=Path, help="folder to keep the environments in")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(scripts)
    if unknown:
        parser.error(f"no script for {', '.join(sorted(unknown))}")
    rows = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "stage") as (url, wire):
        for name in chosen.names or scripts:
            script = scripts[name]
            row = {"name": requirements_of(script)[0].replace("==", " ")}
            try:
                python = installed(script, (chosen.venvs or Path(folder)).resolve())
            except subprocess.CalledProcessError as error:
                rows.append(row | {"called": f"no: not installed (exit status {error.returncode})"})
                continue
            rows.append(row | seen_by(script, python, url, wire))
            print(f"{name}: {rows[-1].get('called')}", file=sys.stderr, flush=True)
    print(f"{datetime.now(tz=UTC):%Y-%m-%d}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
