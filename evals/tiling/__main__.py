"""`python -m evals.tiling large`: see `evals.tiling.large`."""

import sys

from evals.tiling import large

if __name__ == "__main__":
    large.main(sys.argv[2:])
