"""An experiment as a file: the claim it tests, its arms, and what is compared with what.

| key | meaning |
|---|---|
| `claim` | what is tested, in a sentence, with its source |
| `recipe`, `set` | the recipe of all arms (training/recipes) and their common changes |
| `arms` | by name, the changes of each |
| `seeds` | each arm runs once with each; one seed makes the experiment exploratory |
| `compare` | pairs [one, other] of arms: what `other` is better by; `start` is each arm's own first step |
| `metric` | of the protocol t2s, on the recipe's validation questions |
| `minutes` | the most an arm may take with one seed, on the machine it was written for; longer runs are said so, not stopped |
"""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evals.protocols import protocol_named
from t2s_agent.errors import T2SError
from training.recipe import Recipe, load_recipe

FOLDER = Path(__file__).parent
START = "start"
_DATA = "DATA"  # in the file, stands for the folder that holds the datasets


class Experiment(BaseModel):
    """An experiment, checked: every arm's recipe loads, and compared arms exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    claim: str
    recipe: str
    set: tuple[str, ...] = ()
    arms: dict[str, tuple[str, ...]] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    compare: tuple[tuple[str, str], ...] = Field(min_length=1)
    metric: str = "gIoU"
    minutes: float = Field(default=40, gt=0)

    @model_validator(mode="after")
    def _names_exist(self) -> "Experiment":
        known = {START, *self.arms}
        unknown = sorted({name for pair in self.compare for name in pair} - known)
        if unknown or START in self.arms:
            raise ValueError(f"compare names {', '.join(unknown) or START}; arms: {', '.join(self.arms)}")
        if self.metric not in protocol_named("t2s").metrics:
            raise ValueError(f"t2s has no metric {self.metric}")
        return self

    @property
    def exploratory(self) -> bool:
        """Whether one seed alone is no ground for a claim."""
        return len(self.seeds) == 1

    def changes(self, arm: str, seed: int) -> tuple[str, ...]:
        """The changes of the recipe for one run."""
        return (*self.set, *self.arms[arm], f"run.seed={seed}")

    def recipe_of(self, arm: str, seed: int) -> Recipe:
        """The recipe of one run."""
        return load_recipe(self.recipe, self.changes(arm, seed))


def experiment_names() -> list[str]:
    """The experiments that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_experiment(name: str, data: Path, *, start: str | None = None) -> Experiment:
    """An experiment by name, or a YAML file; `data` is the folder that stands for DATA in it, `start` the policy of all arms.

    Raises `argument_invalid` for a name that is unknown, and for a file with keys or values that do not fit.
    """
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(experiment_names())
        raise T2SError("argument_invalid", f"there is no experiment {name}", f"Experiments: {known}; or a YAML file")
    text = path.read_text(encoding="utf-8").replace(_DATA, str(data))
    try:
        plain = {"name": path.stem, **yaml.safe_load(text)}
        if start is not None:
            plain["set"] = [*plain.get("set", ()), f"policy.name={start}"]
        experiment = Experiment.model_validate(plain)
    except (yaml.YAMLError, TypeError, ValidationError) as error:
        raise T2SError("argument_invalid", f"{path.name}: {error}", "The keys: training/experiments/plan.py") from None
    for arm in experiment.arms:
        experiment.recipe_of(arm, experiment.seeds[0])
    return experiment
