"""Writes a stored result as files for other programs; the ending of the name chooses the file type.

`check_ending` before any work, `write` after it. Vector formats but GeoJSON need the extra `geo`: pip install "t2s-agent[geo]".
"""

from t2s_agent.results.export.endings import ENDINGS, check_ending, ending_of
from t2s_agent.results.export.stac import to_stac_item
from t2s_agent.results.export.table import crs_of, to_geodataframe
from t2s_agent.results.export.write import write

__all__ = ["ENDINGS", "check_ending", "crs_of", "ending_of", "to_geodataframe", "to_stac_item", "write"]
