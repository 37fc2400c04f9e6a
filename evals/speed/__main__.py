"""Speed of this build against an older checkout.

python -m evals.speed regions --against ../older    masks to regions: CPU seconds, memory, and whether all is equal
"""

import argparse
import sys
from pathlib import Path

from evals.speed import regions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["regions"])
    parser.add_argument("--against", type=Path, required=True, help="a checkout of an older commit")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(not regions.compare(options.against, seed=options.seed, repeats=options.repeats))


if __name__ == "__main__":
    main()
