"""Measures the speed of each part of the product as a ratio to a named alternative; both run alternately in the same process.

    python -m evals.speed                              everything
    python -m evals.speed start server --json out.json
    python -m evals.speed regions --times 20

start: the time to an answered tools/list, and of an import. embed, decode: a segmenter of SAM 2.1's shape. regions: masks to measured
polygons. segment, refine: questions to nano. server: a call over each transport. memory: of a process that answers. There is no pass
or fail: a ratio below 1 means that ours takes less.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from evals.speed import models, pipeline, regions, server
from evals.speed.rows import Row, as_json, as_text

PARTS: dict[str, tuple[Callable[[Path, int], list[Row]], int]] = {  # function, and the default number of runs
    "start": (server.start, 10),
    "embed": (models.embed, 3),
    "decode": (models.decode, 5),
    "regions": (regions.regions, 7),
    "segment": (pipeline.segment_demo, 3),
    "refine": (pipeline.refine_demo, 3),
    "server": (server.overhead, 40),
    "memory": (pipeline.memory, 3),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none for all")
    parser.add_argument("--times", type=int, default=0, help="runs of each; 0 for the default of each part")
    parser.add_argument("--json", type=Path, help="file for all numbers and the description of the machine")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if given.json and not given.json.parent.is_dir():
        parser.error(f"{given.json.parent} is not a folder")
    rows: list[Row] = []
    for name in given.parts or PARTS:
        measure, times = PARTS[name]
        print(f"measuring {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(Path(folder), given.times or times)
    print(as_text(rows))
    if given.json:
        given.json.write_text(json.dumps(as_json(rows), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
