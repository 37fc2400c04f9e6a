"""The ways in which published papers turn answers into numbers, each a value with a name, and our own."""

from evals.protocols.grids import Grid, resized
from evals.protocols.known import PROTOCOLS, protocol_named
from evals.protocols.protocol import Protocol
from evals.protocols.scoring import Scores, compare_runs, score, slices_of

__all__ = [
    "PROTOCOLS",
    "Grid",
    "Protocol",
    "Scores",
    "compare_runs",
    "protocol_named",
    "resized",
    "score",
    "slices_of",
]
