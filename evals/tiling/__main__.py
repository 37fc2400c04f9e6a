"""`python -m evals.tiling large`: see `evals.tiling.large`. `python -m evals.tiling seams` and `time`: see `evals.tiling.seams`."""

import sys

from evals.tiling import large, seams

if __name__ == "__main__":
    if sys.argv[1:2] == ["large"]:
        large.main(sys.argv[2:])
    else:
        seams.main(sys.argv[1:])
