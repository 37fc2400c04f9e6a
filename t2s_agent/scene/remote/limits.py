"""Defines the limits of remote images."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """Limits of one remote image. Above them `limit_exceeded` or `remote_failed` is raised, before a request where possible."""

    whole_bytes: int = 256 * 2**20  # of a file that has to be fetched whole: other formats, layouts of too many ranges
    cache_bytes: int = 2**30  # of fetched ranges on disk
    received_bytes: int = 64 * 2**30  # of all answers together, while the image is open
    requests: int = 100_000  # while the image is open: a large scene is read window by window
    at_once: int = 4  # requests of one read; some servers refuse many of one client
    request_seconds: float = 30.0
    read_seconds: float = 120.0  # of all requests of one read
    header_bytes: int = 2**15  # of an answer's header fields
    directory_bytes: int = 64 * 2**20  # of a TIFF's directories and the values of their tags
