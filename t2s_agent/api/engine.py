"""The engine as a program uses it: made from the user's settings, and kept for the next call."""

import threading
from typing import Any, cast

from t2s_agent import pipeline
from t2s_agent.api.naming import result_id
from t2s_agent.api.result import Result
from t2s_agent.errors import T2SError
from t2s_agent.results.files import LOCAL
from t2s_agent.settings import Settings, load_settings

_KEPT = 2  # engines: that of the settings, and that of the options given last. Each may hold a model of many gigabytes
_lock = threading.Lock()
_engines: "list[tuple[Settings, Engine]]" = []  # the one used last is the last


class Engine(pipeline.Engine):
    """Settings, models and stored results, for `segment`, `refine` and `describe`. Models are loaded when first used.

    Without one, those functions use the engine of the user's settings, which is made once. Make one of your own to use two
    sets of models side by side.

    >>> import t2s_agent
    >>> engine = t2s_agent.Engine.open(max_size=512)
    >>> engine.settings.max_size, engine.settings.prompter
    (512, 'nano')
    >>> tanks = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?", engine=engine)
    >>> engine.result(tanks.id) == tanks
    True
    """

    @classmethod
    def open(cls, settings: Settings | None = None, owner: str = LOCAL, **options: Any) -> "Engine":
        """An engine with these settings; None: the user's (T2S_* variables over `t2s.toml` over defaults), `options` over them.

        `options` are the names of settings: `prompter`, `segmenter`, `device`, `store`, `max_size`, `samples` ...; None means not
        given. Raises `argument_invalid` for an unknown one or a value that is refused.
        """
        if settings is None:
            settings = load_settings(**options)
        elif any(value is not None for value in options.values()):
            raise T2SError(
                "argument_invalid", "settings and options are both given", "Put the options into the settings"
            )
        return cast("Engine", super().open(settings, owner))  # it makes an object of this class

    def result(self, id: str) -> Result:
        """A stored result by its id, the beginning of one, or `last`. Raises `result_unknown` or `result_damaged`."""
        whole = result_id(self.store, id)
        return Result(self, self.store.load(whole, regions=False))


def engine_for(engine: pipeline.Engine | None, **options: Any) -> pipeline.Engine:
    """The engine that was given, or the one of the user's settings and `options`, kept for the next call.

    Raises `argument_invalid` where both an engine and options are given: an engine's settings do not change.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if engine is None:
        with _lock:
            return _kept(load_settings(**given))
    if given:
        raise T2SError(
            "argument_invalid",
            f"engine and {', '.join(given)} are both given",
            f"Make the engine with them: Engine.open({', '.join(f'{name}=...' for name in given)})",
        )
    return engine


def _kept(settings: Settings) -> Engine:
    """The engine of these settings, made at the first call. They are compared, since some of them cannot be hashed."""
    at = next((position for position, (known, _) in enumerate(_engines) if known == settings), None)
    entry = (settings, Engine.open(settings)) if at is None else _engines.pop(at)
    _engines.append(entry)
    del _engines[:-_KEPT]
    return entry[1]
