"""Speed of this build against an older checkout, both in one run.

python -m evals.speed regions --against ../older    masks to regions: CPU seconds, memory, and whether all is equal
python -m evals.speed segment --against ../older    a question to nano while another program keeps one core busy
python -m evals.speed listing --against ../older    a list of 5,000 results
"""

import argparse
import sys
from pathlib import Path

from evals.speed import listing, regions, segment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["regions", "segment", "listing"])
    parser.add_argument("--against", type=Path, required=True, help="a checkout of an older commit")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the masks")
    options = parser.parse_args()
    if options.what == "regions":
        alike = regions.compare(options.against, seed=options.seed, repeats=options.repeats)
    elif options.what == "listing":
        alike = listing.compare(options.against)
    else:
        alike = segment.compare(options.against, repeats=options.repeats)
    sys.exit(not alike)


if __name__ == "__main__":
    main()
