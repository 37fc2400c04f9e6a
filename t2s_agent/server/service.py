"""What a running server keeps: its settings, one Engine behind all credentials, and the jobs."""

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
    from t2s_agent.settings import Settings

log = logging.getLogger(__name__)
OWNER_KEY = "t2s_owner"  # in an HTTP request's scope, put there by the guard alone
OWNER: ContextVar[str] = ContextVar("owner")  # whose message is being answered


def demo_folder() -> Path:
    """The folder of the scene that comes with the package."""
    return Path(str(files("t2s_agent.nano") / "demo"))


def server_settings(settings: "Settings") -> "Settings":
    """Settings as a server uses them: agents may open what lies in the roots, and without roots only the demo scene.

    Raises `argument_invalid` where files beside images are trusted: who calls a server may not be who put them there.
    """
    if settings.trust_sidecars:
        raise T2SError(
            "argument_invalid",
            "a server does not trust files beside images",
            "Unset trust_sidecars (T2S_TRUST_SIDECARS)",
        )
    return settings if settings.roots else settings.model_copy(update={"roots": (demo_folder(),)})


def owner_of(request: Any) -> str:
    """The credential behind a message: None came from this machine's own pipe, an HTTP request was signed in by the guard."""
    if request is None:
        return LOCAL
    owner = request.scope.get(OWNER_KEY)
    if not isinstance(owner, str):
        raise T2SError("internal", "an HTTP request reached the server past its guard", "Serve it with build_app")
    return owner


class Service:
    """Opens the Engine when it is first needed, so that a server starts without numpy, GDAL and torch."""

    def __init__(self, settings: "Settings", models: "Models | None" = None, engine: "Engine | None" = None) -> None:
        self.settings = server_settings(settings)
        self.jobs = Jobs(settings.workers, settings.max_waiting)
        self._models, self._engine = models, engine
        self._lock = threading.Lock()
        self._warm: threading.Thread | None = None

    def engine(self, owner: str) -> "Engine":
        """The Engine of one credential: the same models and store, other results."""
        with self._lock:
            if self._engine is None:
                from t2s_agent.pipeline import Engine

                self._engine = Engine.open(self.settings)
                if self._models is not None:
                    self._engine.models = self._models
            own = self._engine.store.for_owner(owner)
            return replace(self._engine, settings=self.settings, store=own)

    def callers_engine(self) -> "Engine":
        """The Engine of the credential that sent the message that is being answered."""
        return self.engine(OWNER.get())

    def redact(self, text: str) -> str:
        """A text for agents, in which models go by their names and folders of this machine by none."""
        for name in (self.settings.prompter, self.settings.segmenter):
            text = text.replace(name, model_name(name))
        for folder in (self.settings.store, *self.settings.roots):
            if str(folder) != folder.anchor:
                whole = rf"(?<![\w/.-]){re.escape(str(folder))}(/|(?![\w-]|\.\w))"
                text = re.sub(whole, lambda found: "" if found[1] else "the folder", text)
        return text

    def warm_up(self, delay_s: float = 0.0) -> None:
        """Opens the store and loads the models in the background, once. Whoever calls meanwhile waits for the same load."""
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
            log.error("models are not loaded: %s", error)  # noqa: TRY400 (a message for people; the call says it too)

    def close(self, wait_s: float = 1.0) -> bool:
        """Stops what is under way. Whether all of it ended within that time."""
        return self.jobs.close(wait_s)
