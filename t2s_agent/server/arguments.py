"""Checks the arguments of a tool call against the tool's schema, with errors that an agent can act on.

Our tools refuse unknown argument names although their schemas do not have `additionalProperties: false`, because some clients
cannot convert a schema that has it. Schema keywords that are unknown here are left to the tool.
"""

import json
import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from t2s_agent.bounds import LARGEST_INTEGER, LONGEST_NAME, MOST_IDS, MOST_NESTING, depth_of, require_at_most
from t2s_agent.errors import T2SError

Schema = Mapping[str, Any]
_LONGEST_TEXT = 2_000_000  # characters of a list that was sent as text
_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def checked(tool: str, schema: Schema, arguments: Mapping[str, Any], *, closed: bool = False) -> dict[str, Any]:
    """Returns the arguments for the tool. `closed`: names that are not in the schema are refused.

    Numbers, true and false, and lists that were sent as text ("7", "true", "[1, 2]", "1, 2") are converted to the schema's type.
    Null, and an empty text for an argument that is not a text, count as an argument that was left out.

    Raises `argument_invalid` with the argument, its value and what is allowed, and `limit_exceeded` for a value that is too long.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    if closed or schema.get("additionalProperties") is False:
        for name in arguments:
            if name not in properties:
                raise _unknown(tool, name, list(properties))
    for name in schema.get("required", ()):
        if name not in arguments:
            about = properties.get(name, {}).get("description", "")
            raise T2SError(
                "argument_invalid",
                f"{tool} needs {name}" + (f": {about}" if about else ""),
                f"Call it again with {name}",
            )
    repaired = {
        name: _repaired(value, properties.get(name, {}))
        for name, value in arguments.items()
        if name in schema.get("required", ()) or not _is_left_out(value, properties.get(name, {}))
    }
    for name, value in repaired.items():
        if depth_of(value) > MOST_NESTING:
            raise T2SError(
                "limit_exceeded",
                f"{_shorten(name)} has more than {MOST_NESTING} levels of nested lists or objects",
                "Send it with fewer levels",
            )
        if name in properties:
            _check(name, value, properties[name])
    return repaired


def _unknown(tool: str, name: str, known: list[str]) -> T2SError:
    near = get_close_matches(name.lower()[:60], known, n=2, cutoff=0.5)
    near += [each for each in known if len(name) > 3 and each not in near and (each in name or name in each)][:1]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return T2SError(
        "argument_invalid", f"{tool} has no argument {_shorten(name)}", f"{hint}It takes {', '.join(known)}"
    )


def _is_left_out(value: Any, schema: Schema) -> bool:
    """Whether a value means "left out": null, which some clients send for every argument, and "" where the type is not text."""
    kind = schema.get("type")
    return kind in _KINDS and (value is None or (kind != "string" and isinstance(value, str) and not value.strip()))


def _repaired(value: Any, schema: Schema) -> Any:
    """Converts a value that was sent as text to the schema's type; returns it unchanged if it does not fit."""
    kind = schema.get("type")
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, Mapping):
        return [_repaired(each, items) for each in value[: MOST_IDS + 1]]
    if not isinstance(value, str) or kind in (None, "string") or len(value) > _LONGEST_TEXT:
        return value
    text = value.strip()
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), value)
    read = _parse_json(text)
    if kind in ("integer", "number"):
        return read if isinstance(read, int | float) and not isinstance(read, bool) else value
    if kind == "object":
        return read if isinstance(read, dict) else value
    if read is None and isinstance(items, Mapping):  # 4.33, 51.9, 4.34, 51.91 or length, width
        read = _parse_json(f"[{text}]") if items.get("type") in ("integer", "number") else None
        if items.get("type") == "string" and not text.startswith("["):
            read = [each.strip() for each in text.split(",")]
    return _repaired(read, schema) if isinstance(read, list) else value


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _check(name: str, value: Any, schema: Schema) -> None:
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        return
    if not _has_type(value, kind):
        wanted = _KINDS[kind]
        if kind == "array" and isinstance(schema.get("items"), Mapping):
            wanted += f" such as {_example(schema['items'])}"
        raise T2SError("argument_invalid", f"{name} = {_shorten(value)} is not {wanted}", f"Give {wanted}")
    _require_exact(name, value)
    if kind == "string":
        require_at_most(name, value, schema.get("maxLength", LONGEST_NAME))
    if kind == "array":
        require_at_most(name, value, schema.get("maxItems", MOST_IDS))
    _require_choice(name, value, schema)
    if kind in ("integer", "number"):
        low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        if not low <= value <= high:
            why = "is negative" if value < 0 <= low else "is too small" if value < low else "is too large"
            bounds = f"from {low:g} to {high:g}" if high < math.inf else f"of at least {low:g}"
            raise T2SError("argument_invalid", f"{name} = {_shorten(value)} {why}", f"Give {_KINDS[kind]} {bounds}")
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        for each in value:
            _check_item(name, value, each, schema["items"])


def _check_item(name: str, whole: Any, item: Any, schema: Schema) -> None:
    kind = schema.get("type")
    fits = not isinstance(kind, str) or kind not in _KINDS or _has_type(item, kind)
    if fits and kind == "array" and isinstance(schema.get("items"), Mapping):
        for each in item:
            _check_item(name, whole, each, schema["items"])
        return
    if not fits:
        raise T2SError(
            "argument_invalid",
            f"{name} = {_shorten(whole)} has {_shorten(item)}, which is not {_KINDS[str(kind)]}",
            f"Give a list such as {_example(schema)}",
        )
    _require_exact(name, item)
    _require_choice(name, item, schema)


def _require_choice(name: str, value: Any, schema: Schema) -> None:
    choices = schema.get("enum")
    if choices and value not in choices:
        near = get_close_matches(str(value).lower()[:60], map(str, choices), n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        listed = ", ".join(map(str, choices))
        raise T2SError("argument_invalid", f"{name} = {_shorten(value)} is not allowed", f"{hint}Choose from {listed}")


def _require_exact(name: str, value: Any) -> None:
    """Refuses whole numbers that other JSON readers would round, and that Python's floats cannot represent."""
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise T2SError(
            "argument_invalid", f"{name} = {_shorten(value)} is too large", f"Give a number up to {LARGEST_INTEGER}"
        )


def _has_type(value: Any, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "array":
        return isinstance(value, list)
    if kind == "object":
        return isinstance(value, dict)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, int):
        return True
    return value.is_integer() if kind == "integer" else math.isfinite(value)  # in JSON, 7.0 and 7 are the same number


def _example(items: Schema) -> str:
    if items.get("type") == "array":
        return "[[4.35, 51.87], [4.36, 51.88]]"
    return "[1, 2]" if items.get("type") == "integer" else "[4.33, 51.90, 4.34, 51.91]"


def _shorten(value: Any) -> str:
    """Returns a value as text of at most 60 characters. Only the beginning of a large value is read."""
    if isinstance(value, str):
        text = repr(value[:80])
    elif isinstance(value, int) and abs(value) > 10**60:
        return "a number of more than 60 digits"
    elif isinstance(value, list) and len(value) > 60:
        text = json.dumps(value[:60], default=str)
    else:
        text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
