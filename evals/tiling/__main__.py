"""`python -m evals.tiling large` and `mosaic`: see the modules of these names. `python -m evals.tiling seams` and `time`: see `evals.tiling.seams`."""

import sys

from evals.tiling import large, mosaic, seams

if __name__ == "__main__":
    if sys.argv[1:2] == ["large"]:
        large.main(sys.argv[2:])
    elif sys.argv[1:2] == ["mosaic"]:
        mosaic.main(sys.argv[2:])
    else:
        seams.main(sys.argv[1:])
