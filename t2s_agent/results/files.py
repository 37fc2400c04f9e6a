"""The files of a stored result: their names, their media types, and what of a record may leave this machine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

RECORD, REGIONS, MASK, PREVIEW = "record.json", "regions.geojson", "mask.tif", "preview.png"
MEDIA_TYPES = {  # in the order in which a result's files are listed
    RECORD: "application/json",
    REGIONS: "application/geo+json",
    MASK: "image/tiff",
    PREVIEW: "image/png",
}
LOCAL = "local"  # the owner of results made on this machine without signing in: command line, Python, stdio
_PRIVATE: Any = {"scene": {"path"}, "owner": True}  # where files lie on this machine, and the owner of the result


def public_facts(record: "BaseModel") -> dict[str, Any]:
    """A record as JSON values without what is private: the path of its image and its owner."""
    return record.model_dump(mode="json", exclude=_PRIVATE)


def public_json(record: "BaseModel", indent: int | None = None) -> str:
    """The same as JSON text."""
    return record.model_dump_json(indent=indent, exclude=_PRIVATE)


def uri_of(result_id: str, name: str) -> str:
    """The address of a result's file among the server's resources."""
    return f"t2s://results/{result_id}/{name}"
