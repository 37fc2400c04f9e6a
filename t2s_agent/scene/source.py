"""What a reader says before it reads: the windows it will read, so that a remote file can be fetched in few requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One read: a window (x, y, width, height, in pixels of the scene), the shape of the picture, bands counted from 1.

    `nearest`, `wide_kernel`: the way of resampling; neither means averages. `mask`: of the mask instead of bands.
    """

    window: tuple[float, float, float, float]
    shape: tuple[int, int]
    bands: tuple[int, ...] = ()
    nearest: bool = False
    wide_kernel: bool = False
    mask: bool = False


class Source(Protocol):
    """Where the bytes of a scene come from, if not from a local file."""

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """Fetches what these reads need and is not there yet."""

    def check(self) -> None:
        """Raises where something was read that had not been fetched."""

    def read(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function that reads the dataset, in whatever thread, and fetches what it reads besides."""

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function that opens or closes the dataset, in whatever thread."""

    def close(self) -> None:
        """Releases connections and space; a second call has no effect."""
