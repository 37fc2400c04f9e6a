"""Remarks of results in the words of the command line."""

import re

import pytest

from t2s_agent.cli.remarks import on_the_command_line
from t2s_agent.pipeline.calibrating import unsure_of
from t2s_agent.pipeline.large import about_seams
from t2s_agent.pipeline.steps import read_as_pixels
from t2s_agent.pipeline.window_accounts import about_windows
from t2s_agent.results.record import TilingRecord
from t2s_agent.scene.scale import Scale

ID = "r_0123456789"
TILING = TilingRecord(
    tile=64,
    overlap=8,
    grid=(256, 256),
    windows=25,
    looked_at=6,
    not_reached=19,
    share_not_looked_at=0.71,
    threshold=0.5,
)
CHOSEN = "windows at 0.75 m a pixel (12 windows instead of 70); gsd_m native looks in full resolution"


class NoLooks:
    def windows(self):
        return ()


@pytest.mark.parametrize(
    ("remark", "words"),
    [
        (unsure_of(18, 29, 0.45), f"t2s-agent refine {ID} --min-probability 0.45 leaves them out"),
        (about_seams(3), f"t2s-agent describe {ID} --columns seams says why; ask again with --bbox"),
        (about_windows(TILING, NoLooks())[0], "the same command with a higher --max-windows"),
        (
            Scale(40.0, 0.5, 20.0).remark(1024),
            "narrow with --bbox, look with --mode full, or raise --max-size (now 1024)",
        ),
        (CHOSEN, "; --gsd-m native looks"),
        (read_as_pixels(min_area_m2=4)[0], "--min-area-m2 4 was read as square pixels"),
    ],
)
def test_a_remark_says_what_can_be_typed(remark, words):
    said = on_the_command_line(remark, ID)
    assert words in said
    assert not re.search(r"the column|(?<!-)\b(?:bbox|max_size|min_probability|gsd_m)\b", said)


def test_other_remarks_stay_as_they_are():
    said = "12.0% of band 1 is 0, not declared as nodata"
    assert on_the_command_line(said, ID) == said
