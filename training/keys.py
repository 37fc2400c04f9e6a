"""The table of all keys of a recipe in training/README.md, made from the classes of training.recipe.

python -m training.keys    puts it into the README
"""

import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from training.recipe import Recipe

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- keys: made by python -m training.keys -->", "<!-- end of keys -->"
_SIGNS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def tables() -> str:
    """A part of the recipe after the other: what its class says, and its keys with values and defaults."""
    parts = [f"### {name}\n\n{_said(kind)}\n\n{_table(kind)}" for name, kind in _parts()]
    top = [name for name, field in Recipe.model_fields.items() if _model(field.annotation) is None]
    return "\n\n".join([f"At the top: `{'`, `'.join(top)}` (a sentence), and the parts below.", *parts])


def with_tables(text: str) -> str:
    """The README's text with the tables of now between the two marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def _parts() -> Iterator[tuple[str, type[BaseModel]]]:
    """The parts of a recipe by their keys, each followed by the parts within it."""
    for name, field in Recipe.model_fields.items():
        kind = _model(field.annotation)
        if kind is not None:
            yield name, kind
            yield from ((f"{name}.{inner}", found) for inner, found in _within(kind))


def _within(kind: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in kind.model_fields.items():
        found = _model(field.annotation)
        if found is not None:
            yield f"{name}.0" if get_origin(field.annotation) is tuple else name, found


def _model(annotation: Any) -> type[BaseModel] | None:
    """The part that a key holds, also as one of several or as None or a part."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model(each))), None)


def _said(kind: type[BaseModel]) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split())


def _table(kind: type[BaseModel]) -> str:
    rows = [f"| `{name}` | {_values(field)} | {_default(field)} |" for name, field in kind.model_fields.items()]
    return "\n".join(["| key | values | default |", "|---|---|---|", *rows])


def _values(field: FieldInfo) -> str:
    limits = [
        f"{_SIGNS[sign]} {getattr(rule, sign):g}" for rule in field.metadata for sign in _SIGNS if hasattr(rule, sign)
    ]
    return ", ".join([_type(field.annotation), *limits])


def _type(annotation: Any) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(_type(each) for each in get_args(annotation))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "mapping"
    if annotation is type(None):
        return "null"
    if _model(annotation) is not None:
        return "part"
    return {str: "text", int: "whole number", float: "number", bool: "true, false", Path: "path"}[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own defaults"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return "null" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    """Puts the tables into the README."""
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
