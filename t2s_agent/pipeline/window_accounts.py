"""Accounts for every window of a large scene: what was looked at, what failed, what was not reached, and what they say together."""

from collections.abc import Iterator

import numpy as np

from t2s_agent.pipeline.assembly import THRESHOLD
from t2s_agent.prompting.answer import Status
from t2s_agent.results.record import TilingRecord
from t2s_agent.results.windows import WindowLook
from t2s_agent.scene import Grid, View
from t2s_agent.tiling.ledger import LOOKED_AT, Ledger, Looked
from t2s_agent.tiling.windows import Tiling

_STATUSES = {"nodata": "empty", "not_understood": "failed"}
_WHY = {"nodata": "no data", "not_understood": "the model does not know what was asked for"}
_KINDS = 5  # of the windows' warnings that are repeated


def looks_of(tiling: Tiling, ledger: Ledger) -> Iterator[WindowLook]:
    """Every window with what became of it."""
    known = {looked.index: looked for looked in ledger.windows()}
    for tile in tiling:
        looked = known.get(tile.index) or Looked(tile.index, "not_reached")
        yield WindowLook(
            tile.index,
            tile.x,
            tile.y,
            tile.width,
            tile.height,
            _STATUSES.get(looked.status, looked.status),  # type: ignore[arg-type]  # the others are the same words
            looked.tokens,
            looked.seconds,
            f"{looked.code}: {looked.message}" if looked.code else _WHY.get(looked.status, ""),
        )


def answered_by(ledger: Ledger) -> Status:
    """The outcome of all windows together."""
    there = set(ledger.statuses().values())
    if "found" in there:
        return "found"
    return "not_understood" if "not_understood" in there and not there & {"empty"} else "empty"


def tiling_record(
    tiling: Tiling, grid: Grid, ledger: Ledger, view: View, unsure: int, because: str = ""
) -> TilingRecord:
    """The counts of windows, and the share of the area with data (as `view`, a picture of all of it, shows it) that was not looked at.

    `unsure`: objects on which windows do not agree. `because`: why the resolution was chosen (`TilingRecord.chosen_because`).
    """
    statuses = ledger.statuses()
    looked_at = {index for index, status in statuses.items() if status in LOOKED_AT}
    return TilingRecord(
        tile=tiling.tile,
        overlap=tiling.overlap,
        grid=(grid.width, grid.height),
        gsd_m=grid.gsd_m,
        chosen_because=because,
        windows=len(tiling),
        looked_at=len(looked_at),
        failed=len(statuses) - len(looked_at),
        not_reached=len(tiling) - len(statuses),
        share_not_looked_at=_share_missing(tiling, looked_at, view),
        threshold=THRESHOLD,
        unsure_objects=unsure,
    )


def _share_missing(tiling: Tiling, looked_at: set[int], view: View) -> float:
    """The share of the view's pixels with data in the cells of windows that were not looked at."""
    if len(looked_at) == len(tiling) or not view.valid.any():
        return 0.0
    missing = np.zeros((view.height, view.width), bool)
    across, down = view.width / tiling.width, view.height / tiling.height
    for index in range(len(tiling)):
        if index not in looked_at:
            x1, y1, x2, y2 = tiling.cell(index)
            rows, columns = (
                slice(int(y1 * down), max(int(y1 * down) + 1, round(y2 * down))),
                slice(int(x1 * across), max(int(x1 * across) + 1, round(x2 * across))),
            )
            missing[rows, columns] = True
    return round(float((missing & view.valid).sum() / view.valid.sum()), 4)


def missing_words(record: TilingRecord) -> list[str]:
    """A warning about the area that was not looked at; none where there is none."""
    if record.looked_at == record.windows:
        return []
    return [
        f"{record.windows - record.looked_at} of {record.windows} windows, {record.share_not_looked_at:.0%} of the area, were not looked at"
    ]


def about_windows(record: TilingRecord, ledger: Ledger) -> list[str]:
    """Warnings about windows: those that failed or were not reached, and what their answers warned of."""
    lines: list[str] = []
    if record.failed:
        first = next(each for each in ledger.windows() if each.status not in LOOKED_AT)
        why = f"{first.code}: {first.message}" if first.code else _WHY.get(first.status, "")
        lines.append(
            f"{record.failed} of {record.windows} windows could not be looked at ({why}); windows.geojson shows where, and the same "
            "question asked again tries them again"
        )
    if record.not_reached:
        lines.append(
            f"{record.not_reached} of {record.windows} windows were not reached within the limit of windows, seconds or tokens: "
            f"{record.share_not_looked_at:.0%} of the area was not looked at; the same question with a higher limit goes on from here"
        )
    kinds: dict[str, tuple[str, int]] = {}
    for looked in ledger.windows():
        own = {"".join(letter for letter in warning if not letter.isdigit()): warning for warning in looked.warnings}
        for kind, warning in own.items():
            words, count = kinds.get(kind, (warning, 0))
            kinds[kind] = words, count + 1
    lines += [f"{words} (in {count} window{'s' * (count != 1)})" for words, count in list(kinds.values())[:_KINDS]]
    return lines
