"""Ask a question about an overhead image; get georeferenced, measured regions.

>>> import t2s_agent
>>> tanks = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?")
>>> for region in tanks.regions[:2]:
...     print(region.id, region.area.unit, region.geometry.is_valid)
1 m2 True
2 m2 True

`segment`, `refine` and `describe` do what the commands of those names do, with the same options. `Result` is what they return,
`Region` one place in it, `T2SError` the one exception for input that can be corrected, `Engine` the models and the store, and
`open_scene` opens an image safely. Each is loaded when it is first used.

Versions: the names in `__all__`, their arguments and their attributes are public; everything else may change in any release.
Releases are numbered by semantic versioning. A public name is removed, or its meaning changed, only after at least one minor
release in which using it gives a DeprecationWarning that names its replacement (docs/reference/python.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t2s_agent.api.engine import Engine
    from t2s_agent.api.functions import describe, refine, segment
    from t2s_agent.api.result import Result
    from t2s_agent.errors import T2SError
    from t2s_agent.regions.region import Region
    from t2s_agent.scene import open_scene

    __version__: str

__all__ = [
    "Engine",
    "Region",
    "Result",
    "T2SError",
    "__version__",
    "describe",
    "open_scene",
    "refine",
    "segment",
]

_MODULES = {
    "Engine": "t2s_agent.api.engine",
    "Region": "t2s_agent.regions.region",
    "Result": "t2s_agent.api.result",
    "T2SError": "t2s_agent.errors",
    "describe": "t2s_agent.api.functions",
    "open_scene": "t2s_agent.scene",
    "refine": "t2s_agent.api.functions",
    "segment": "t2s_agent.api.functions",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it; the module is imported now (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("t2s-agent")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
