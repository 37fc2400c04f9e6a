"""What an agent framework makes of the three tools: the acts of the matrix. Imports nothing but the standard library.

A script of `frameworks/` lists the tools through its framework, and says how a call goes through it. `report` does the rest and
prints one line of JSON, which `matrix.py` reads.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

MARK = "SEEN "
TOOLS = ["describe_region", "reason_segment", "refine_mask"]
ASKED = {"image": "harbour.tif", "query": "storage tanks"}
TANKS = 7
LEFT_OUT = {"bbox": None, "min_area_m2": None, "columns": None, "max_regions": None, "preview": None}
_LONGEST_TEXT = 20_000  # characters; the text of an answer alone has fewer, a picture in base64 has more


@dataclass
class Seen:
    """What reaches the model from a call.

    `picture`: as a picture, not as text. `structured`: facts as an object beside the text. `failed`: how the framework says that the
    call failed; empty where only the text says it.
    """

    text: str
    picture: bool = False
    structured: bool = False
    failed: str = ""


Call = Callable[[str, dict[str, Any]], Awaitable[Seen]]


async def report(schemas: Mapping[str, Mapping[str, Any]], call: Call) -> None:
    """All acts. `schemas`: of each tool's arguments, by its name, as the framework gives them to a model."""

    async def tried(arguments: dict[str, Any]) -> Seen:
        try:
            return await call("reason_segment", arguments)
        except Exception as error:  # noqa: BLE001 (whatever a framework raises is what is looked for)
            return Seen(" ".join(_texts(error)), failed=f"exception {type(error).__name__}")

    good = await tried({**ASKED, "preview": True})
    missing = await tried({**ASKED, "image": "harbor.tiff"})
    misspelt = await tried({**ASKED, "max_region": 3})
    empty = await tried({**ASKED, **LEFT_OUT})
    partial = await tried({**ASKED, "max_regions": 1, "preview": False})  # the rest of the regions is a link away
    facts = {
        "mcp": _version_of("mcp"),
        "listed": sorted(schemas) == TOOLS or f"no: {', '.join(sorted(schemas))}",
        "schema": changes_of(schemas.get("reason_segment", {})),
        "called": _called(good),
        "picture": picture_of(good),
        "structured": good.structured,
        "error": _error(missing, "image_not_found"),
        "misspelt": _misspelt(misspelt),
        "links": True if _called(partial) is True else f"no: {partial.failed} {partial.text[:200]}",
        "null": True if _called(empty) is True else f"no: {empty.text[:200]}",
    }
    print(MARK + json.dumps(facts), flush=True)


def changes_of(schema: Mapping[str, Any]) -> str:
    """What became of the schema of reason_segment's arguments, in words; "kept" where nothing is lost."""
    properties = schema.get("properties", {})
    text = json.dumps(schema)
    changes = []
    required = sorted(schema.get("required", []))
    if required != sorted(ASKED):
        changes.append("all required" if required == sorted(properties) else f"required {required}")
    if '"maximum": 500' not in text:
        changes.append("limits lost")
    if '"compactness"' not in text:
        changes.append("choices lost")
    if '"additionalProperties": false' in text:
        changes.append("closed")
    if '"null"' in text or '"nullable"' in text:
        changes.append("null added")
    if not all("description" in each for each in properties.values()):
        changes.append("descriptions lost")
    return ", ".join(changes) or "kept"


def picture_of(seen: Seen) -> str:
    """ "picture", "lost", or how many characters of text it became."""
    if len(seen.text) > _LONGEST_TEXT:
        return f"as text ({len(seen.text):,} characters)"
    return "picture" if seen.picture else "lost"


def _called(seen: Seen) -> bool | str:
    """Whether the answer that reached the model has what was asked for."""
    plain = seen.text.replace("\\", "").replace(" ", "").replace("'", '"')
    if not seen.failed and f'"total":{TANKS}' in plain:
        return True
    return f"no: {seen.failed} {seen.text[:200]}"


def _error(seen: Seen, code: str) -> str:
    if code not in seen.text:
        return f"text lost ({seen.failed or 'no sign of failure'}: {seen.text[:200]})"
    return seen.failed or "text only"


def _misspelt(seen: Seen) -> str:
    if "mean max_regions" in seen.text:
        return "hint seen"
    if _called(seen) is True:
        return "dropped without a word"
    return f"stopped by the client ({seen.text[:120]})"


def _texts(error: BaseException) -> list[str]:
    """The messages of an error and of those inside a group of them."""
    if isinstance(error, BaseExceptionGroup):
        return [text for each in error.exceptions for text in _texts(each)]
    return [str(error)]


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
