"""Defines the files of a stored result: names, media types, and the part of a record that is public."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

RECORD, REGIONS, MASK, PREVIEW = "record.json", "regions.geojson", "mask.tif", "preview.png"
WINDOWS = "windows.geojson"  # only of results of many windows
MEDIA_TYPES = {  # in the order in which a result's files are listed
    RECORD: "application/json",
    REGIONS: "application/geo+json",
    MASK: "image/tiff",
    PREVIEW: "image/png",
    WINDOWS: "application/geo+json",
}
ALWAYS = (RECORD, REGIONS, MASK, PREVIEW)  # files that each result has
LOCAL = "local"  # the owner of results made on this machine without a token: command line, Python, stdio
_PRIVATE: Any = {"scene": {"path"}, "owner": True}  # paths on this machine, and the owner of the result


def public_facts(record: "BaseModel") -> dict[str, Any]:
    """Returns a record as JSON values without its private fields: the path of its image and its owner."""
    return record.model_dump(mode="json", exclude=_PRIVATE)


def public_json(record: "BaseModel", indent: int | None = None) -> str:
    """Returns `public_facts` as JSON text."""
    return record.model_dump_json(indent=indent, exclude=_PRIVATE)


def uri_of(result_id: str, name: str) -> str:
    """Returns the URI of a result's file as a resource of the server."""
    return f"t2s://results/{result_id}/{name}"
