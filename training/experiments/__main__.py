"""Runs an experiment of training/experiments: all its arms and seeds, then the comparisons.

    python -m training.experiments                                  # what there is
    python -m training.experiments masks-or-boxes --data ../shared/data --start runs/start --out runs/masks-or-boxes
    python -m training.experiments masks-or-boxes --data ../shared/data --start runs/start --out runs/masks-or-boxes --only masks-1

A stopped experiment goes on by the same command; finished runs are not run again. The entry for LOG.md is printed, and written to
`entry.md` in --out.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from t2s_agent.errors import T2SError
from training.experiments.entry import entry
from training.experiments.plan import Experiment, experiment_names, load_experiment
from training.experiments.runs import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", help="an experiment, or a YAML file; without it all are listed")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder that holds the datasets")
    parser.add_argument("--out", type=Path, help="the folder of the runs")
    parser.add_argument(
        "--start", help="policy.name of all arms: a folder that training.export wrote; default: the recipe's"
    )
    parser.add_argument("--only", nargs="+", metavar="ARM-SEED", help="run these alone")
    options = parser.parse_args(arguments)
    if options.name and options.out is None:
        parser.error("give --out DIR, the folder of the runs")
    try:
        if options.name is None:
            print("\n".join(f"{each.name}: {each.claim}" for each in _all(options.data)))
            return
        experiment = load_experiment(options.name, options.data, start=options.start)
        for arm, seed in _chosen(experiment, options.only):
            run(experiment, options.out, arm, seed)
        text = entry(experiment, options.out)
        (options.out / "entry.md").write_text(text, encoding="utf-8")
        print(text)
    except T2SError as error:
        sys.exit(str(error))


def _all(data: Path) -> list[Experiment]:
    return [load_experiment(name, data) for name in experiment_names()]


def _chosen(experiment: Experiment, only: Sequence[str] | None) -> list[tuple[str, int]]:
    """Seed by seed, so that a stopped experiment has whole comparisons; `argument_invalid` for a run that does not exist."""
    runs = {f"{arm}-{seed}": (arm, seed) for seed in experiment.seeds for arm in experiment.arms}
    unknown = [name for name in only or () if name not in runs]
    if unknown:
        raise T2SError("argument_invalid", f"there is no run {', '.join(unknown)}", f"Runs: {', '.join(runs)}")
    return [each for name, each in runs.items() if only is None or name in only]


if __name__ == "__main__":
    main()
