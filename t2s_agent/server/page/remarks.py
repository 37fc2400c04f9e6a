"""Puts remarks into the words of the page: they are written for tools, files and the command line, and a person here has buttons."""

import re
from collections.abc import Sequence
from typing import Any

from t2s_agent.pipeline.refine_large import is_filtered_in_parts
from t2s_agent.results.record import Record
from t2s_agent.tiling.seams import REASONS

# what a remark says at its end -> what a person can do on the page
_ADVICE = (
    (
        r": the column seams says why; ask again with a bbox around one to see it whole$",
        ": a “?” follows their numbers. Choose one to read why; ask about a part around it to see it whole",
    ),
    (
        r"; the column probability shows it, and a refinement with min_probability [0-9.e-]+ leaves them out$",
        ". A “?” follows their numbers, and “Leave out the unsure ones” makes a result without them",
    ),
    (r"; the same question with a higher limit goes on from here$", ". “Look at the rest” goes on from here"),
    (
        r"; windows\.geojson shows where, and the same question asked again tries them again$",
        ". “Windows” shows where, and “Look at the rest” tries them again",
    ),
    (
        r"; narrow with bbox, look with mode full, or raise max_size \(now [0-9]+\)$",
        ". Ask about a part of the image to see it at its full resolution",
    ),
    (r"; gsd_m native looks in full resolution$", ""),
    (r"min_area_m2 = ", "the smallest area "),
)

_SIZES = "These words work: “only the largest”, “the three longest”, “larger than 200 m²”."
_WORD = re.compile(r"[a-z]+(?![\w.-])")


def on_the_page(remark: str, prompter: str = "") -> str:
    """A remark in the words of the page: a sentence. A name of a file or a model at its beginning stays as it is."""
    for pattern, words in _ADVICE:
        remark = re.sub(pattern, words, remark)
    if _WORD.match(remark) and not remark.startswith(f"{prompter} "):
        remark = remark[:1].upper() + remark[1:]
    return remark if remark.endswith((".", "!", "?")) else f"{remark}."


def seam_words(reasons: Sequence[str]) -> list[str]:
    """What the codes mean by which a region of a large scene is marked; an unknown code is its own word."""
    return [REASONS.get(reason, reason) for reason in reasons]


def corrections_of(result: Record) -> dict[str, Any]:
    """Which corrections a result takes: `words` is `all` or `sizes` (what is computed from measures), `marks` whether points can be set;
    `why` says what is missing.
    """
    if is_filtered_in_parts(result):
        width, height = result.scene.view_size
        return {
            "words": "sizes",
            "marks": False,
            "why": f"This result has {result.region_count:,} regions in {width:,} × {height:,} px: too large for marks on the picture. {_SIZES} "
            "To correct a part, ask about that part, and correct its result.",
        }
    if result.tiling is not None:
        why = f"This image was looked at in windows, so the model cannot look at it again as a whole. {_SIZES}"
        return {"words": "sizes", "marks": True, "why": f"{why} For all else, ask a new question."}
    return {"words": "all", "marks": True, "why": ""}
