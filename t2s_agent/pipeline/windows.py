"""Looks at a large scene window by window: reads, asks, draws masks, and keeps what was found in a ledger."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.steps import Clock, Progress
from t2s_agent.prompting.answer import Answer
from t2s_agent.regions.build import distinct
from t2s_agent.scene import Grid, Scene, View
from t2s_agent.settings import Settings
from t2s_agent.text import one_line, plain
from t2s_agent.tiling.ledger import LOOKED_AT, Found, Ledger, Looked
from t2s_agent.tiling.windows import Box, Tile, Tiling

AT_ONCE = 4  # windows asked, and encoded, together
_AGAIN = ("endpoint_failed", "image_unreadable", "model_failed")  # errors that another try may not have
_TRIES = 2
_HOPELESS = 8  # windows: where the first ones all fail, so will the others
_RAW, _THINKING = 4_000, 2_000  # characters kept of a window's answer


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent on one scene; None: no limit. Windows that are not reached are named in the result."""

    windows: int | None = None
    seconds: float | None = None
    tokens: int | None = None


def checked_budget(
    settings: Settings,
    mode: str,
    windows: int | None,
    seconds: float | None,
    tokens: int | None,
) -> Budget:
    """The budget of a call; the settings' number of windows where it names none. Raises `argument_invalid`."""
    if mode not in ("auto", "overview", "full"):
        raise T2SError(
            "argument_invalid", f"the mode {one_line(str(mode), 40)!r} is unknown", "Choose auto, overview or full"
        )
    given = {"max_windows": windows, "max_seconds": seconds, "max_tokens": tokens}
    for name, value in given.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise T2SError(
                "argument_invalid", f"{name} {value:g} is not above zero", f"Leave {name} out, or give a number above 0"
            )
    return Budget(settings.max_windows if windows is None else windows, seconds, tokens)


@dataclass(slots=True)
class Looking:
    """One question about the windows of a grid."""

    engine: Engine
    scene: Scene
    grid: Grid
    tiling: Tiling
    question: str
    bands: str | None
    ledger: Ledger
    clock: Clock
    progress: Progress

    def look(self, order: Sequence[int], budget: Budget) -> None:
        """Looks at the windows in this order, those that the ledger has already left out, as far as the budget goes.

        Batches are cut from the whole order, so that work that is resumed makes the same ones. Raises the error of the first window
        where each of the first windows fails.
        """
        began, failed, reached = time.monotonic(), 0, 0
        batches = [order[at : at + AT_ONCE] for at in range(0, len(order), AT_ONCE)]
        if budget.windows is not None:
            batches = [each[: max(0, budget.windows - at * AT_ONCE)] for at, each in enumerate(batches)]
        known = self.ledger.statuses()
        open_batches = [each for each in batches if any(known.get(index) not in LOOKED_AT for index in each)]
        total = sum(map(len, batches))
        done = total - sum(map(len, open_batches))
        first: T2SError | None = None
        for tiles, views in self._read_ahead(open_batches):
            if self._spent(budget, began):
                return
            begun = time.monotonic() - began
            self.progress(_words(done, len(tiles), total, len(order), reached, begun, self.ledger.pieces()))
            for tile, view in zip(tiles, views, strict=True):
                if isinstance(view, T2SError):
                    self.ledger.add(_failed(tile, view, _TRIES))
            ready = [(tile, view) for tile, view in zip(tiles, views, strict=True) if isinstance(view, View)]
            errors = [view for view in views if isinstance(view, T2SError)] + self._together(ready)
            first = first or next(iter(errors), None)
            failed, done, reached = failed + len(errors), done + len(tiles), reached + len(tiles)
            if first is not None and failed == reached and (reached >= min(_HOPELESS, total)):
                raise first

    def view(self, tile: Tile) -> View:
        """The window's picture, at the grid's resolution."""
        window = self.grid.window_of(tile.x, tile.y, tile.width, tile.height)
        return self.scene.view(window=window, max_size=max(tile.width, tile.height), bands=self.bands)

    def _read_ahead(self, batches: Sequence[Sequence[int]]) -> Iterator[tuple[list[Tile], list[View | T2SError]]]:
        """The windows of each batch, read by one other thread while the batch before is thought about."""
        with ThreadPoolExecutor(1) as reader:
            waiting: Future[tuple[list[Tile], list[View | T2SError]]] | None = None
            for batch in (*batches, None):
                coming = None if batch is None else reader.submit(self._read, batch)
                if waiting is not None:
                    with self.clock("read"):
                        read = waiting.result()
                    yield read
                waiting = coming

    def _read(self, batch: Sequence[int]) -> tuple[list[Tile], list[View | T2SError]]:
        tiles = [self.tiling[index] for index in batch]
        return tiles, [_tried(lambda tile=tile: self.view(tile)) for tile in tiles]  # type: ignore[misc]  # a default argument

    def _together(self, ready: Sequence[tuple[Tile, View]]) -> list[T2SError]:
        """Asks about windows together; one by one where that fails, so that one window's failure is its own."""
        for tile, view in ready:
            if not view.valid.any():
                self.ledger.add(Looked(tile.index, "nodata", view.digest()))
        asked = [(tile, view) for tile, view in ready if view.valid.any()]
        if not asked:
            return []
        if len(asked) > 1:
            try:
                self._record(asked, self._ask([view for _, view in asked]))
            except T2SError:
                pass
            else:
                return []
        return [error for each in asked if (error := self._alone(*each)) is not None]

    def _alone(self, tile: Tile, view: View) -> T2SError | None:
        """Asks about one window, again where that may help. Returns the error where it failed, which the ledger has too."""
        for attempt in range(1, _TRIES + 1):
            try:
                self._record([(tile, view)], self._ask([view]), attempt)
            except T2SError as error:
                if attempt == _TRIES or error.code not in _AGAIN:
                    self.ledger.add(_failed(tile, error, attempt))
                    return error
            else:
                return None
        raise AssertionError("unreachable")

    def _ask(self, views: Sequence[View]) -> list[Answer]:
        with self.clock("prompt"):
            answers = self.engine.models.prompter().answer(views, [self.question] * len(views))
        for answer in answers:
            if answer.status == "unparsable":
                said = plain(" ".join(answer.raw.split()), 160)
                raise T2SError(
                    "answer_unparsable", f"the answer cannot be read: {said!r}", answer.fix or "Ask in other words"
                )
        return answers

    def _record(self, asked: Sequence[tuple[Tile, View]], answers: Sequence[Answer], attempt: int = 1) -> None:
        """Draws the masks of the answers and records the windows, all or none of them."""
        shown = [(view, answer.instances) for (_, view), answer in zip(asked, answers, strict=True) if answer.instances]
        drawn = iter(self._masks(shown))
        rows: list[tuple[Looked, list[Found]]] = []
        for (tile, view), answer in zip(asked, answers, strict=True):
            found, warnings, pixels = next(drawn) if answer.instances else ([], (), 0)
            if answer.instances and not pixels:
                raise T2SError(
                    "model_failed",
                    f"{len(answer.instances)} objects were named, and no mask has a pixel",
                    "Ask in other words",
                )
            looked = Looked(
                tile.index,
                "found" if found else "not_understood" if answer.status == "not_understood" else "empty",
                view.digest(),
                plain(answer.raw, _RAW),
                plain(answer.thinking, _THINKING),
                answer.tokens,
                round(answer.seconds, 3),
                attempt,
                round(float(view.valid.mean()), 4),
                warnings=(*answer.warnings, *warnings),
            )
            rows.append((looked, [_placed(each, tile) for each in found]))
        for looked, found in rows:
            self.ledger.add(looked, found)

    def _masks(
        self, shown: Sequence[tuple[View, Sequence[Instance]]]
    ) -> list[tuple[list[Found], tuple[str, ...], int]]:
        """The masks of each view's instances, without duplicates and pixels without data; warnings; and how many pixels were drawn."""
        if not shown:
            return []
        segmenter = self.engine.models.segmenter()
        with self.clock("embed"):
            embeddings = segmenter.embed([view for view, _ in shown])
        each: list[tuple[list[Found], tuple[str, ...], int]] = []
        for (view, instances), embedding in zip(shown, embeddings, strict=True):
            with self.clock("decode"):
                masks = segmenter.decode(embedding, instances)
            kept, warnings = distinct(masks.masks, view, masks.scores)
            softness = masks.softness
            found = [Found(mask, float(masks.scores[i]), float(softness[i]), instances[i]) for i, mask in kept.items()]
            each.append((found, warnings, sum(mask.area for mask in masks.masks)))
        return each

    def _spent(self, budget: Budget, began: float) -> bool:
        """Whether the budget of seconds or tokens is used up."""
        if budget.seconds is not None and time.monotonic() - began >= budget.seconds:
            return True
        return budget.tokens is not None and self.ledger.tokens() >= budget.tokens


def in_order(tiling: Tiling, promising: Sequence[Box]) -> list[int]:
    """The indexes of all windows: those first that meet the most of the boxes (x1, y1, x2, y2 in grid pixels), then by rows."""
    counts: dict[int, int] = {}
    for box in promising:
        for tile in tiling.tiles_at(box):
            counts[tile.index] = counts.get(tile.index, 0) + 1
    first = sorted(counts, key=lambda index: (-counts[index], index))
    return first + [index for index in range(len(tiling)) if index not in counts]


def _tried(read: Callable[[], View]) -> View | T2SError:
    """The View, or the error after the last try."""
    for attempt in range(1, _TRIES + 1):
        try:
            return read()
        except T2SError as error:
            if attempt == _TRIES or error.code not in _AGAIN:
                return error
    raise AssertionError("unreachable")


def _failed(tile: Tile, error: T2SError, attempts: int) -> Looked:
    return Looked(tile.index, "failed", attempts=attempts, code=error.code, message=error.what)


def _placed(found: Found, tile: Tile) -> Found:
    """A window's find in grid pixels."""
    return Found(found.mask.moved(tile.x, tile.y), found.score, found.softness, found.instance.moved(tile.x, tile.y))


def _words(done: int, now: int, total: int, all_windows: int, reached: int, seconds: float, pieces: int) -> str:
    """Progress with rate and time left. `now` windows are looked at together."""
    of = f"{total}" if total == all_windows else f"{total} ({all_windows} in all)"
    these = f"window {done + 1}" if now == 1 else f"windows {done + 1} to {done + now}"
    words = f"looking at {these} of {of}"
    if not reached or seconds <= 0:
        return words
    rate = reached / seconds
    left = (total - done) / rate
    time_left = f"{left:.0f} s" if left < 120 else f"{left / 60:.0f} min"
    return f"{words}, {pieces} objects so far, {rate:.2g} windows a second, {time_left} left"
