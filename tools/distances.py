"""Distances as arguments: 0 means touching, so that -1 has to mean "off"."""

from t2s_agent.errors import T2SError


def require_distance(name: str, value: float) -> None:
    """Raises `argument_invalid` for what is neither -1 nor a distance."""
    if value < 0 and value != -1:
        raise T2SError(
            "argument_invalid", f"{name} = {value} is no distance", "Give metres from 0 on, or -1 to leave it out"
        )
