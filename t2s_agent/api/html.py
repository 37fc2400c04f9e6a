"""A result as a notebook shows it: its picture and the first of its regions. Every word of others is escaped."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO
from itertools import islice

from PIL import Image

from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.regions.units import Units
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.text import one_line

_ROWS = 10
_PICTURE = 720  # px: longer side of the picture in a page
_LONGEST = 400  # characters of a question, a warning or a label


def page_of(
    *,
    id: str,
    status: str,
    question: str,
    warnings: Sequence[str],
    total_area: Measure,
    pm_level: str,
    regions: StoredRegions,
    picture: Image.Image,
) -> str:
    """HTML without scripts, styles of its own or addresses: the picture lies in it. The arguments are a result's properties."""
    count = len(regions)
    rows = "".join(_row(region) for region in islice(regions, _ROWS))
    place = Units.of_area(total_area.unit).axes
    names = ("id", "label", "area", "perimeter", *place, "score")
    table = f"<table><thead><tr>{''.join(f'<th>{n}</th>' for n in names)}</tr></thead><tbody>{rows}</tbody></table>"
    more = f"<p>and {count - _ROWS} more regions</p>" if count > _ROWS else ""
    items = "".join(f"<li>{_said(warning)}</li>" for warning in warnings)
    return (
        f"<div><p><b>{_said(question)}</b><br>{escape(id)}: {escape(status)}, "
        f"{count} region{'s' * (count != 1)}, {_shown(total_area)}; ± {_said(pm_level)}</p>"
        f"{f'<ul>{items}</ul>' if items else ''}"
        f'<img alt="the image with its regions" src="{_data_url(picture)}">'
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


def _data_url(picture: Image.Image) -> str:
    small = picture.convert("RGB")
    small.thumbnail((_PICTURE, _PICTURE))
    data = BytesIO()
    small.save(data, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
