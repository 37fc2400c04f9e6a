"""The page's own files, as they lie in the package."""

from importlib.resources import files


def static_text(name: str) -> str:
    """The text of one of them."""
    return (files("t2s_agent.server.page") / "static" / name).read_text(encoding="utf-8")
