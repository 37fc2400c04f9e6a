"""Problems of a dataset's files and entries, and the errors that say them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from t2s_agent.errors import T2SError

Kind = Literal["missing", "broken", "doubled", "count"]
OnBroken = Literal["stop", "skip"]
_NAMED = 5  # problems that an error quotes; the check lists all


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a file or an entry: `where` names it, `what` says what is wrong."""

    kind: Kind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


class BrokenSample(T2SError):
    """One sample cannot be read. `problem` says which and why; a run stops on it, or counts it and goes on."""

    def __init__(self, kind: Kind, where: str, what: str) -> None:
        super().__init__(
            "image_unreadable",
            f"{where}: {what}",
            "Fix the file, or go on without it: on_broken='skip' (--on-broken skip)",
        )
        self.problem = Problem(kind, where, what)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem.kind, self.problem.where, self.problem.what)


class BrokenDataset(T2SError):
    """A dataset's listing has problems. `problems` holds them all, the text quotes the first ones."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        quoted = "; ".join(str(problem) for problem in problems[:_NAMED])
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        super().__init__(
            "argument_invalid",
            f"dataset {name} has {len(problems)} problems: {quoted}{more}",
            "`python -m evals.datasets check ROOT --dataset NAME` lists them all; on_broken='skip' (--on-broken skip) goes on without them",
        )
        self.name = name
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.problems)
