"""A result as a notebook shows it: its picture and the first of its regions. Every word of others is escaped."""

import base64
from html import escape
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING

from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.regions.units import Units
from t2s_agent.text import one_line

if TYPE_CHECKING:
    from t2s_agent.api.result import Result

_ROWS = 10
_PICTURE = 720  # px: longer side of the picture in a page
_LONGEST = 400  # characters of a question, a warning or a label


def page_of(result: "Result") -> str:
    """HTML without scripts, styles of its own or addresses: the picture lies in it."""
    count = len(result.regions)
    rows = "".join(_row(region) for region in islice(result.regions, _ROWS))
    place = Units.of_area(result.total_area.unit).axes
    names = ("id", "label", "area", "perimeter", *place, "score")
    table = f"<table><thead><tr>{''.join(f'<th>{n}</th>' for n in names)}</tr></thead><tbody>{rows}</tbody></table>"
    more = f"<p>and {count - _ROWS} more regions</p>" if count > _ROWS else ""
    warnings = "".join(f"<li>{_said(warning)}</li>" for warning in result.warnings)
    return (
        f"<div><p><b>{_said(result.question)}</b><br>{escape(result.id)}: {escape(result.status)}, "
        f"{count} region{'s' * (count != 1)}, {_shown(result.total_area)}; ± {_said(result.pm_level)}</p>"
        f"{f'<ul>{warnings}</ul>' if warnings else ''}"
        f'<img alt="the image with its regions" src="{_picture(result)}">'
        f"{table if count else ''}{more}</div>"
    )


def _row(region: Region) -> str:
    x, y = region.centroid
    score = "" if region.score is None else f"{region.score:.2f}"
    cells = (region.id, _said(region.label), _shown(region.area), _shown(region.perimeter), x, y, score)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _said(text: str) -> str:
    return escape(one_line(text, _LONGEST))


def _shown(measure: Measure) -> str:
    unit = measure.unit.replace("2", "²")
    return f"{with_plus_minus(measure.value, measure.plus_minus)} {unit}"


def _picture(result: "Result") -> str:
    picture = result.picture.convert("RGB")
    picture.thumbnail((_PICTURE, _PICTURE))
    data = BytesIO()
    picture.save(data, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
