"""Checks a built wheel: its size, its one top-level package, and that it works where there is nothing else.

    python tests/wheel_check.py dist/t2s_agent-0.1.0-py3-none-any.whl constraints.txt

The fresh environment sees the packages of the one that runs this (through a path file), so that nothing is downloaded twice,
but not this checkout: t2s_agent can only come from the wheel.
"""

import asyncio
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

from mcp import Client, StdioServerParameters

LARGEST = 60 * 2**20


def main() -> None:
    wheel = Path(sys.argv[1]).resolve()
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    if top != {"t2s_agent"}:
        sys.exit(f"the wheel has the top-level packages {sorted(top)}")
    if wheel.stat().st_size > LARGEST:
        sys.exit(f"the wheel has {wheel.stat().st_size / 2**20:.0f} MB")
    if "t2s_agent/tools/__init__.py" not in names:
        sys.exit("tools/ is not installed as t2s_agent.tools")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "env"
        venv.create(fresh, with_pip=False)
        site = next(fresh.glob("lib/python*/site-packages"))
        (site / "shared.pth").write_text(_without_checkout(), encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel], check=True
        )
        empty = Path(folder) / "empty"
        empty.mkdir()
        code = "import t2s_agent, sys; print(t2s_agent.__file__); from t2s_agent.cli import main; sys.argv = ['t2s-agent', 'demo']; main()"
        done = subprocess.run(
            [fresh / "bin" / "python", "-I", "-c", code],
            cwd=empty,
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"T2S_STORE": str(empty / "store")},
        )
        if str(site) not in done.stdout:
            sys.exit(f"t2s_agent came from elsewhere: {done.stdout.splitlines()[0]}")
        missing = {"preview.png", "regions.geojson", "mask.tif", "record.json"} - {
            f.name for f in (empty / "demo-out").iterdir()
        }
        if missing:
            sys.exit(f"the demo left out {sorted(missing)}")
        images = asyncio.run(_images_of_server(str(fresh / "bin" / "python"), empty))
        if images != ["harbour.tif"]:
            sys.exit(f"the server of the wheel shows the images {images}")
    print(f"wheel: {wheel.name}, {wheel.stat().st_size / 2**20:.1f} MB; demo and an MCP call work from an empty folder")


async def _images_of_server(python: str, folder: Path) -> list[str]:
    """What an agent learns first from `t2s-agent serve`, over standard input and output."""
    code = "import sys; from t2s_agent.cli import main; sys.argv = ['t2s-agent', 'serve', '--no-preload', '--store', 'store']; main()"
    started = StdioServerParameters(command=python, args=["-I", "-c", code], cwd=str(folder))
    async with Client(started) as client:
        answer = await client.call_tool("describe_region", {})
    table = answer.structured_content or {}
    return [dict(zip(table["columns"], row, strict=True))["image"] for row in table.get("rows", [])]


def _without_checkout() -> str:
    """The packages of this environment, as a path file that does not read their path files: an editable install stays behind."""
    return sysconfig.get_paths()["purelib"] + "\n"


if __name__ == "__main__":
    main()
