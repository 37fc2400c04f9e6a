"""Reads the page's static files from the package."""

from importlib.resources import files


def static_text(name: str) -> str:
    """Returns the text of one file."""
    return (files("t2s_agent.server.page") / "static" / name).read_text(encoding="utf-8")
