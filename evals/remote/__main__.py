"""Measures requests and bytes of remote reads against rasterio's own (/vsicurl), on a server of this machine.

    python -m evals.remote                       a file of 2 GB
    python -m evals.remote --side 8192           of 200 MB

A cloud-optimised GeoTIFF of three bands in blocks of 512 px is made, of which some rows of blocks hold noise, and served by https. Each
reader opens it, reads one window of 1,024 px that is not aligned with blocks, then an overview at 1/8. The pixels of the
first reader are compared with those of the local file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.windows import Window as RasterioWindow

from evals.remote.serving import https_files
from t2s_agent.scene import Scene, Window, open_scene
from t2s_agent.scene.remote.address import Hosts
from t2s_agent.scene.remote.opening import Remote, open_remote

_BLOCK = 512
_TUNED = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_INGESTED_BYTES_AT_OPEN": "32768"}


@dataclass(frozen=True)
class Count:
    """Requests and bytes after the window, and after the overview too; seconds of all."""

    reader: str
    window_requests: int
    window_bytes: int
    requests: int
    bytes: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.remote", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--side", type=int, default=26_624, help="pixels a side, a multiple of 512 (26,624: 2.8 GB with overviews)"
    )
    parser.add_argument("--compress", default="NONE", help="as GDAL names it; NONE makes a large file in little time")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make_cog(Path(folder), given.side, given.compress)
        found = measure(path, given.side)
        size = path.stat().st_size
    print(f"{given.side} px, {size / 1e9:.2f} GB, compression {given.compress}")
    for row in found:
        share = row.window_bytes / size
        print(
            f"{row.reader:24} window: {row.window_requests:3} requests, {row.window_bytes / 1e6:7.2f} MB ({share:.2%}); "
            f"with overview: {row.requests:3} requests, {row.bytes / 1e6:7.2f} MB; {row.seconds:.2f} s"
        )
    if given.json:
        given.json.write_text(
            json.dumps({"bytes": size, "rows": [asdict(row) for row in found]}) + "\n", encoding="utf-8"
        )


def make_cog(folder: Path, side: int, compress: str) -> Path:
    """A COG with noise in the rows of blocks around its middle. Deletes what it was made from."""
    print(f"making a file of {side} px", file=sys.stderr, flush=True)
    plain, made = folder / "plain.tif", folder / "large.tif"
    shape = {"driver": "GTiff", "count": 3, "height": side, "width": side, "dtype": "uint8"}
    with rasterio.open(
        plain, "w", **shape, tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK, SPARSE_OK=True, BIGTIFF="YES"
    ) as file:
        noise = np.random.default_rng(0)
        middle = side // 2 // _BLOCK
        for row in range(max(0, middle - 2), middle + 3):
            pixels = noise.integers(0, 255, (3, _BLOCK, side), np.uint8)
            file.write(pixels, window=RasterioWindow(0, row * _BLOCK, side, _BLOCK))
    how = {"BLOCKSIZE": _BLOCK, "COMPRESS": compress, "OVERVIEW_RESAMPLING": "NEAREST", "BIGTIFF": "IF_SAFER"}
    rasterio.shutil.copy(plain, made, driver="COG", **how)
    plain.unlink()
    return made


def measure(path: Path, side: int) -> list[Count]:
    """The counts of each reader. Raises ValueError where ours gives other pixels than the local file."""
    with open_scene(path) as local:
        expected = _digests(local, side, coarse=True)
    rows = [_ours(path, side, expected)]
    for name, options in (("rasterio", {}), ("rasterio, tuned", _TUNED)):
        print(f"reading by {name}", file=sys.stderr, flush=True)
        counts = [_plain(path, side, options, coarse=coarse) for coarse in (False, True)]
        (requests, sent, _), second = counts
        rows.append(Count(name, requests, sent, *second))
    return rows


def _window(side: int) -> tuple[int, int, int, int]:
    """A window in the rows with noise: x, y, width, height."""
    middle = side // 2 // _BLOCK * _BLOCK - 300
    return middle, middle, 1024, 1024


def _digests(scene: Scene, side: int, *, coarse: bool) -> list[str]:
    asked = [{"window": Window(*_window(side))}, *([{"max_size": side // 8}] if coarse else [])]
    return [scene.view(**each).digest() for each in asked]  # type: ignore[arg-type]  # a table of arguments


def _ours(path: Path, side: int, expected: list[str]) -> Count:
    print("reading by t2s-agent", file=sys.stderr, flush=True)
    with https_files(path.parent) as served:
        began = time.perf_counter()
        remote = Remote(Hosts(private=(served.host,)), ca_file=served.ca)
        with open_remote(f"{served.url}/{path.name}", remote) as scene:
            _digests(scene, side, coarse=False)
            first = len(served.requests), served.sent
            found = _digests(scene, side, coarse=True)
        if found != expected:
            raise ValueError("the pixels of the remote file are not those of the local one")
        return Count("t2s-agent", *first, len(served.requests), served.sent, time.perf_counter() - began)


def _plain(path: Path, side: int, options: dict[str, str], *, coarse: bool) -> tuple[int, int, float]:
    """Requests, bytes and seconds of rasterio in a process of its own: it may hold the lock that the server needs."""
    with https_files(path.parent) as served:
        began = time.perf_counter()
        given = json.dumps([f"/vsicurl/{served.url}/{path.name}", _window(side), side // 8 if coarse else 0])
        everything = os.environ | options | {"GDAL_HTTP_UNSAFESSL": "YES"}
        subprocess.run([sys.executable, "-c", _READ, given], check=True, env=everything)
        return len(served.requests), served.sent, time.perf_counter() - began


_READ = """
import json, sys, rasterio
from rasterio.windows import Window
name, window, coarse = json.loads(sys.argv[1])
with rasterio.open(name) as file:
    file.read(window=Window(*window))
    if coarse:
        file.read(out_shape=(3, coarse, coarse))
"""


if __name__ == "__main__":
    main()
