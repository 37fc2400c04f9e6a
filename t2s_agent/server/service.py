"""Holds the state of a running server: its settings, one Engine for all credentials, and the jobs."""

import logging
import re
import threading
from contextvars import ContextVar
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2s_agent.errors import T2SError
from t2s_agent.results.files import LOCAL
from t2s_agent.server.jobs import Jobs
from t2s_agent.text import model_name

if TYPE_CHECKING:
    from t2s_agent.models import Models
    from t2s_agent.pipeline import Engine
    from t2s_agent.server.page.region_index import Indexes
    from t2s_agent.settings import Settings

log = logging.getLogger(__name__)
OWNER_KEY = "t2s_owner"  # key in an HTTP request's scope, set only by the guard
OWNER: ContextVar[str] = ContextVar("owner")  # the credential that sent the current message


def demo_folder() -> Path:
    """Returns the folder of the package's demo scene."""
    return Path(str(files("t2s_agent.nano") / "demo"))


def server_settings(settings: "Settings") -> "Settings":
    """Returns the settings for a server: agents may open images in the roots, or only the demo scene if there are no roots.

    Raises `argument_invalid` if sidecar files are trusted, because a caller may not know who put those files there.
    """
    if settings.trust_sidecars:
        raise T2SError(
            "argument_invalid",
            "a server does not trust sidecar files beside images",
            "Unset trust_sidecars (T2S_TRUST_SIDECARS)",
        )
    return settings if settings.roots else settings.model_copy(update={"roots": (demo_folder(),)})


def owner_of(request: Any) -> str:
    """Returns the credential of a message: `request` is None for standard input; the guard has authenticated HTTP requests."""
    if request is None:
        return LOCAL
    owner = request.scope.get(OWNER_KEY)
    if not isinstance(owner, str):
        raise T2SError("internal", "an HTTP request reached the server without its guard", "Serve it with build_app")
    return owner


class Service:
    """Opens the Engine at its first use, so that a server starts without numpy, GDAL and torch."""

    def __init__(self, settings: "Settings", models: "Models | None" = None, engine: "Engine | None" = None) -> None:
        self.settings = server_settings(settings)
        self.jobs = Jobs(settings.workers, settings.max_waiting)
        self._models, self._engine = models, engine
        self._lock = threading.Lock()
        self._warm: threading.Thread | None = None
        self._indexes: Indexes | None = None

    @property
    def indexes(self) -> "Indexes":
        """Where the regions of results lie, kept for the page and the MCP App together."""
        with self._lock:
            if self._indexes is None:
                from t2s_agent.server.page.region_index import Indexes

                self._indexes = Indexes()
            return self._indexes

    def engine(self, owner: str) -> "Engine":
        """Returns the Engine of one credential: the same models and store, but the results of this credential only.

        Images that this credential has sent are in one more root of it."""
        with self._lock:
            if self._engine is None:
                from t2s_agent.pipeline import Engine

                self._engine = Engine.open(self.settings)
                if self._models is not None:
                    self._engine.models = self._models
            own = replace(self._engine, settings=self.settings, store=self._engine.store.for_owner(owner))
        if not self.settings.upload_bytes:
            return own
        from t2s_agent.server.page.uploads import with_uploads

        return with_uploads(own)

    def callers_engine(self) -> "Engine":
        """Returns the Engine of the credential that sent the current message."""
        return self.engine(OWNER.get())

    def redact(self, text: str) -> str:
        """Returns a text for agents, with short names of models and without folders of this machine."""
        for name in (self.settings.prompter, self.settings.segmenter):
            text = text.replace(name, model_name(name))
        for folder in (self.settings.store, *self.settings.roots):
            if str(folder) != folder.anchor:
                whole = rf"(?<![\w/.-]){re.escape(str(folder))}(/|(?![\w-]|\.\w))"
                text = re.sub(whole, lambda found: "" if found[1] else "the folder", text)
        return text

    def warm_up(self, delay_s: float = 0.0) -> None:
        """Opens the store and loads the models in the background, once. Calls during that time wait for the same load."""
        with self._lock:
            if self._warm is not None or not self.settings.preload:
                return
            self._warm = threading.Thread(target=self._load, args=(delay_s,), name="t2s-warm-up", daemon=True)
        self._warm.start()

    def _load(self, delay_s: float) -> None:
        threading.Event().wait(delay_s)
        try:
            engine = self.engine(LOCAL)
            engine.models.segmenter()
            engine.models.prompter()
        except T2SError as error:
            log.error("models are not loaded: %s", error)  # noqa: TRY400 (a message for the operator; calls report it too)

    def close(self, wait_s: float = 1.0) -> bool:
        """Stops all work; returns whether it ended within `wait_s` seconds."""
        return self.jobs.close(wait_s)
