"""Run the official conformance suite against our server with the suite's fixtures added, in both eras of the protocol.

`make conformance` installs the suite and calls this. `scored.json` lists every scenario and how many of its checks must
pass; a scenario that is missing, that fails, that passes fewer checks, or that the list does not know fails the run.
`--bare` leaves the fixtures out and shows what passes all the same: README.md says what we make of that.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import re
import socket
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import anyio
import uvicorn

from t2s_agent.server.http import config_of
from tests.conformance.server import conformance_app

HERE = Path(__file__).parent
REVISIONS = ("2025-11-25", "2026-07-28")
Check = dict[str, Any]  # as the suite writes it: id, status, errorMessage ...
Scenarios = dict[str, list[Check]]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("bin", type=Path, help="the folder of the executables node and conformance")
    options.add_argument("--bare", action="store_true", help="without fixtures, judging nothing")
    arguments = options.parse_args()
    log = io.StringIO()
    logging.basicConfig(stream=log, level=logging.WARNING, force=True)
    warnings.filterwarnings("ignore", "The (logging|sampling) capability is deprecated")  # the older era has them

    unknown: set[str] = set()
    found = anyio.run(_run_both, arguments.bin.resolve(), not arguments.bare, unknown)
    scored = json.loads((HERE / "scored.json").read_text(encoding="utf-8"))
    wrong = [f"a scenario called {name}, which is not there: what it passed proves nothing" for name in sorted(unknown)]
    for revision, scenarios in found.items():
        whole = [name for name, checks in scenarios.items() if passes(checks) and not failures(checks)]
        checks = sum(passes(checks) for checks in scenarios.values())
        print(f"{revision}: {len(whole)} scenarios passed of {len(scenarios)}, {checks} checks")
        if arguments.bare:
            print("\n".join(f"  {name}: {passes(scenarios[name])}" for name in whole))
        wrong += [f"{revision} {line}" for line in faults(scenarios, scored[revision])]
    if wrong and not arguments.bare:
        print(*wrong, "The server's log:", log.getvalue()[-20_000:], sep="\n", file=sys.stderr)
    return 1 if wrong and not arguments.bare else 0


def faults(found: Scenarios, scored: dict[str, int]) -> list[str]:
    """What keeps a run from counting, a line each."""
    lines = [f"{name}: did not run" for name in sorted(scored.keys() - found.keys())]
    lines += [f"{name}: not in scored.json" for name in sorted(found.keys() - scored.keys())]
    for name in sorted(found.keys() & scored.keys()):
        lines += [f"{name}: {check['id']}: {check.get('errorMessage')}" for check in failures(found[name])]
        if passes(found[name]) < scored[name]:
            lines.append(f"{name}: {passes(found[name])} checks passed of {scored[name]}")
    return lines


def failures(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check["status"] == "FAILURE"]


def passes(checks: list[Check]) -> int:
    return sum(check["status"] == "SUCCESS" for check in checks)


async def _run_both(executables: Path, fixtures: bool, unknown: set[str]) -> dict[str, Scenarios]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(config_of(conformance_app(Path(folder), fixtures, unknown)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listening])
            # Whoever connects before the server is up waits in the socket's queue.
            url = f"http://localhost:{listening.getsockname()[1]}/mcp"
            found = {name: await _run(executables, url, name, Path(folder) / name) for name in REVISIONS}
            server.should_exit = True
    return found


async def _run(executables: Path, url: str, revision: str, out: Path) -> Scenarios:
    """One revision; the suite leaves a folder for each scenario, with its checks."""
    command = ["conformance", "server", "--url", url, "--suite", "all", "--spec-version", revision, "-o", str(out)]
    path = f"{executables}{os.pathsep}{os.environ['PATH']}"
    with anyio.fail_after(120):
        ran = await anyio.run_process(command, check=False, env={**os.environ, "PATH": path})
    reports = sorted(out.glob("server-*/checks.json"))
    if not reports:
        raise SystemExit(f"the suite did not run:\n{ran.stdout.decode()}{ran.stderr.decode()}")
    return {_scenario(path.parent.name): json.loads(path.read_text(encoding="utf-8")) for path in reports}


def _scenario(folder: str) -> str:
    """`server-tools-list-2026-11-24T10-18-49-445Z` holds `tools-list`."""
    return re.sub(r"^server-|-\d{4}-\d\d-\d\dT[\d-]+Z$", "", folder)


if __name__ == "__main__":
    sys.exit(main())
