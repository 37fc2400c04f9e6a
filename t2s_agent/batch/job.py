"""What an archive is asked, and how: values that travel to workers and stay the same for one output folder."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from t2s_agent.batch.writing import replacing
from t2s_agent.errors import T2SError
from t2s_agent.pipeline.large import Mode
from t2s_agent.settings import Settings

FILE = "batch.json"
RESULTS = "results"  # folder of the results, unless a store is named
BUDGET = ("max_windows", "max_seconds", "max_tokens")  # of one large scene; may be raised to finish what is partly done
LIMITS = ("gsd_m", *BUDGET)  # options for the windows of a large scene
_VERSION = 1
# settings that change answers; a folder of parts has one value of each
_ANSWERS = (
    "prompter",
    "segmenter",
    "style",
    "samples",
    "temperature",
    "seed",
    "max_size",
    "plus_minus",
    "max_new_tokens",
    "sensor",
    "height_m",
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which scenes: `bbox` is west, south, east, north in degrees (west > east across 180), `asset` the name of a STAC asset,
    `root` the folder from which the paths of names count."""

    bbox: tuple[float, float, float, float] | None = None
    asset: str = ""
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One archive's work: the output folder, the settings of every worker, and the options of `segment`.

    `pairs`: scenes are two dates of a place each. `store` None: results are kept in the folder `results` of `out`, without limits of size and age.
    """

    out: Path
    settings: Settings
    store: Path | None = None
    bands: str | None = None
    stretch: str | None = None
    merge: Literal["instances", "union"] = "instances"
    min_area_m2: float = 0.0
    mode: Mode = "auto"
    gsd_m: float | str | None = None
    max_windows: int | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    pairs: bool = False
    selection: Selection = field(default_factory=Selection)

    @property
    def results(self) -> Path:
        """The folder of the results."""
        return self.store or self.out / RESULTS

    def facts(self) -> dict[str, Any]:
        """What must be the same in every run that writes to one folder."""
        chosen = {name: getattr(self.settings, name) for name in _ANSWERS}
        always = {"version": _VERSION, "pairs": self.pairs, "max_windows": self._windows(self.max_windows)}
        return {**chosen, **self.options(), **always}

    def options(self) -> dict[str, Any]:
        """The options of `segment`, the same for every row."""
        names = ("bands", "stretch", "merge", "min_area_m2", "mode", *LIMITS)
        return {name: getattr(self, name) for name in names}

    def require_same(self, *, raised: bool = False) -> None:
        """Writes `batch.json` into the folder, or raises `argument_invalid` where it was written for other settings.

        `raised`: limits of `BUDGET` may be higher than there, and are written.
        """
        path, own = self.out / FILE, self.facts()
        there = _read(path)
        if there is None:
            _write(path, own)
            return
        there.setdefault("pairs", False)
        there["max_windows"] = self._windows(there.get("max_windows"))
        differs = [name for name, value in own.items() if there.get(name) != value]
        higher = [name for name in differs if name in BUDGET and _is_higher(own[name], there.get(name))]
        if wrong := [name for name in differs if not raised or name not in higher]:
            shown = ", ".join(f"{name} {there.get(name)!r}, now {own[name]!r}" for name in wrong)
            fix = "Use the same options, or another --out"
            if wrong == higher:
                fix = "Add --finish-partly to go on with a higher limit, or use the same options, or another --out"
            raise T2SError("argument_invalid", f"{self.out} was begun with {shown}", fix)
        if higher:
            _write(path, own)

    def _windows(self, given: int | None) -> int:
        return self.settings.max_windows if given is None else given

    def as_values(self) -> dict[str, Any]:
        """The job as plain values, for a worker in another process."""
        return asdict(self) | {"settings": self.settings}

    @classmethod
    def of_values(cls, values: dict[str, Any]) -> "Job":
        return cls(**values | {"selection": Selection(**values["selection"])})


def _is_higher(now: float | None, before: float | None) -> bool:
    """Whether a limit allows more; None is no limit."""
    return before is not None and (now is None or now > before)


def _read(path: Path) -> dict[str, Any] | None:
    """The facts of a folder; None where there are none. Raises `argument_invalid` for a file that is not JSON."""
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise T2SError("argument_invalid", f"{path} is not JSON", "Use another --out") from error
    return there if isinstance(there, dict) else {}


def _write(path: Path, facts: dict[str, Any]) -> None:
    with replacing(path) as file:
        file.write(f"{json.dumps(facts, indent=1)}\n".encode())
