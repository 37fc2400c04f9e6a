"""Prints tables of the error of lengths and areas on shapes of known size; `fit` prints the constants of the length estimate."""

import argparse

from evals.measures import fit, perimeter


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evals.measures", description=__doc__)
    parser.add_argument("what", choices=["perimeter", "fit"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--masks", type=int, default=40, help="masks for each shape, angle and size; fewer of large ones"
    )
    parser.add_argument("--sizes", type=float, nargs="+", default=list(perimeter.SIZES), help="short sides in pixels")
    parser.add_argument("--no-compare", action="store_true", help="leave the alternatives out")
    options = parser.parse_args()
    if options.what == "fit":
        constant, cut = fit.fit_constants(fit.draw_shapes(options.seed, options.masks * 100))
        print(f"CUT_CORNER = ({constant:.3f}, {cut:.3f})")
    else:
        cells = perimeter.measure_cells(options.seed, options.masks, options.sizes, compare=not options.no_compare)
        print(perimeter.report(cells))


if __name__ == "__main__":
    main()
