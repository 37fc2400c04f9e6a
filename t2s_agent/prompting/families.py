"""Reads the table of model families: the frame in which each writes (`frames.toml`), after the user's own entries."""

import fnmatch
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2s_agent.errors import T2SError

FrameName = Literal[
    "absolute",
    "square",
    "relative",
    "relative_yx",
    "relative_999",
    "unit",
    "unit_yx",
    "percent",
    "bins_1000",
    "bins_1024_yx",
]
FRAME_NAMES: tuple[str, ...] = get_args(FrameName)
Text = Annotated[str, Field(max_length=200)]
_LARGEST = 2**20  # bytes of a file of entries


class Family(BaseModel):
    """One entry of the table; the comment at the top of `frames.toml` says what each part means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    match: list[Text] = Field(min_length=1)
    frame: FrameName
    form: Text = ""
    box: Literal["corners", "xywh"] = "corners"
    patch: int | None = Field(None, ge=1, le=256)
    known: Literal["read", "users", "guess"] = "guess"
    source: Text = ""
    date: Text = ""

    def fits(self, model: str) -> bool:
        """Whether the name of a model is one of this family's."""
        return any(fnmatch.fnmatchcase(model.casefold(), pattern.casefold()) for pattern in self.match)


@dataclass(frozen=True, slots=True)
class Frames:
    """The entries, in the order of their priority."""

    families: tuple[Family, ...]

    def of(self, model: str) -> Family | None:
        """Returns the first entry that matches a model's name; None if there is none."""
        return next((family for family in self.families if family.fits(model)), None)


def load_frames(own: Path | None = None) -> Frames:
    """Returns the package's table after the entries of `own`. Raises `argument_invalid` with the fault in that file."""
    return Frames((*(_read(own) if own else ()), *_packaged()))


@cache
def _packaged() -> tuple[Family, ...]:
    text = (files("t2s_agent.prompting") / "frames.toml").read_text(encoding="utf-8")
    return tuple(Family(**entry) for entry in tomllib.loads(text)["family"])


def _read(path: Path) -> tuple[Family, ...]:
    fix = "Correct the file, or the setting frames_file; t2s-agent doctor --endpoint URL#MODEL prints an entry"
    try:
        if path.stat().st_size > _LARGEST:
            raise T2SError("limit_exceeded", f"{path.name} is larger than {_LARGEST} bytes", fix)
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise T2SError("argument_invalid", f"{path.name} cannot be read as a table of frames: {error}", fix) from error
    entries = table.get("family", [])
    if not isinstance(entries, list) or set(table) - {"family"}:
        raise T2SError("argument_invalid", f"{path.name} has something other than [[family]] entries", fix)
    families = []
    for number, entry in enumerate(entries, 1):
        try:
            families.append(Family.model_validate(entry))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the entry"
            what = f"entry {number} of {path.name}: {where}: {first['msg']}"
            raise T2SError("argument_invalid", what, fix) from error
    return tuple(families)
