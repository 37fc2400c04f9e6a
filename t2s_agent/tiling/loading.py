"""Gives the pieces of a tile when they are asked for, and keeps those of a few tiles."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from t2s_agent.mask import Mask

MOST_BYTES = 64 * 2**20  # of pieces that are kept


@dataclass(frozen=True, slots=True)
class Piece:
    """What one tile shows of an object. `mask` is in grid coordinates and inside of the tile; `id` is the caller's, one for each piece."""

    id: int
    tile: int
    mask: Mask
    score: float = 0.0


PiecesOf = Callable[[int], Sequence[Piece] | None]  # of a tile; None for a tile that was not looked at


class Loader:
    """The pieces of tiles in an order that depends on their pixels alone, cropped, without empty ones. Keeps up to `most` bytes."""

    def __init__(self, pieces_of: PiecesOf, most: int = MOST_BYTES) -> None:
        self._pieces_of = pieces_of
        self._most = most
        self._kept: OrderedDict[int, tuple[Piece, ...] | None] = OrderedDict()
        self._bytes = 0

    def __call__(self, tile: int) -> tuple[Piece, ...] | None:
        if tile in self._kept:
            self._kept.move_to_end(tile)
            return self._kept[tile]
        given = self._pieces_of(tile)
        pieces = None if given is None else tuple(sorted(_cropped(given), key=_order))
        self._kept[tile] = pieces
        self._bytes += _size(pieces)
        while self._bytes > self._most and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return pieces


def _cropped(pieces: Sequence[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        mask = Mask.of(piece.mask.pixels, piece.mask.x, piece.mask.y)
        if mask.pixels.size:
            yield replace(piece, mask=mask)


def _order(piece: Piece) -> tuple[int, int, int, int, int, bytes]:
    mask = piece.mask
    return mask.y, mask.x, mask.height, mask.width, mask.area, mask.pixels[0].tobytes()


def _size(pieces: tuple[Piece, ...] | None) -> int:
    return 1_000 + sum(piece.mask.pixels.nbytes for piece in pieces or ())
