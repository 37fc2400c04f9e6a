"""Checks distance arguments: 0 means touching, so -1 means "off"."""

from t2s_agent.errors import T2SError


def require_distance(name: str, value: float) -> None:
    """Raises `argument_invalid` for a value that is neither -1 nor a distance."""
    if value < 0 and value != -1:
        raise T2SError(
            "argument_invalid", f"{name} = {value} is not a distance", "Give metres, 0 or more, or -1 to leave it out"
        )
