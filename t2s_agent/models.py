"""Loads prompters and segmenters by name, each once."""

import threading
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2s_agent.accelerator import device_of
from t2s_agent.calibration import FILE, Loaded
from t2s_agent.errors import T2SError
from t2s_agent.prompting.prompter import Prompter
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.prompting.style import style_named
from t2s_agent.segmenting.segmenter import Segmenter
from t2s_agent.settings import Settings
from t2s_agent.text import model_name
from t2s_agent.weights import model_folder, read_settings, require_weights

if TYPE_CHECKING:
    from t2s_agent.segmenting.cache import EmbeddingCache

HUB_PROMPTERS = ("RicardoString/Think2Seg-RS-3B", "RicardoString/Think2Seg-RS-7B")
HUB_SEGMENTERS = tuple(f"facebook/sam2.1-hiera-{size}" for size in ("tiny", "small", "base-plus", "large"))


def nano_folder(part: str) -> Path:
    """The folder of nano's `prompter` or `segmenter` in this package."""
    return Path(str(files("t2s_agent.nano"))) / part


def _is_close_up(folder: Path) -> bool:
    """Whether a segmenter was trained on one object at a time (`close_up` in its preprocessor_config.json)."""
    file = "preprocessor_config.json"
    return (folder / file).is_file() and read_settings(folder, file).get("close_up") is True


def check_models(settings: Settings) -> None:
    """Checks the models in the settings without loading them. Raises `model_unavailable` as loading would.

    Imports torch only if a device is named.
    """
    _check_prompter(settings.prompter)
    _check_segmenter(settings.segmenter)
    if settings.device not in ("auto", "cpu"):
        device_of(settings.device)


def _check_prompter(name: str) -> None:
    """Raises `model_unavailable` for an invalid prompter name; a hub name is not looked up."""
    if name.startswith(("http://", "https://")):
        _parse_served(name)
    elif not name.startswith("scripted:"):
        _locate(name, "prompter", HUB_PROMPTERS)


def _check_segmenter(name: str) -> None:
    if name == "box":
        return
    if name.endswith(".pth"):
        from t2s_agent.segmenting.sam import existing

        existing(Path(name))
        return
    folder = Path(_locate(name, "segmenter", HUB_SEGMENTERS))
    if folder.is_dir():
        from t2s_agent.segmenting.sam2 import family_of

        family_of(folder, name)
        require_weights(folder)


def _parse_served(name: str) -> tuple[str, str]:
    """URL and model of a served prompter's name."""
    url, _, model = name.partition("#")
    if not model:
        raise T2SError(
            "model_unavailable",
            f"{url} does not name a model",
            "Write it as URL#model, for example http://localhost:11434/v1#qwen2.5vl",
        )
    return url, model


@dataclass(frozen=True, slots=True)
class Usable:
    """A calibration that may be used, or None; `remark` says why one that is there may not."""

    loaded: Loaded | None
    remark: str


class Models:
    """The models in the settings. Thread-safe: the first caller loads a model, once.

    `embeddings` replaces the cache of embeddings that the settings describe.
    """

    def __init__(self, settings: Settings, *, embeddings: "EmbeddingCache | None" = None) -> None:
        self._settings = settings
        self._embeddings = embeddings
        self._prompters: dict[str, Prompter] = {}
        self._segmenters: dict[str, Segmenter] = {}
        self._lock = threading.Lock()

    def prompter(self, name: str | None = None) -> Prompter:
        """The prompter with this name, by default that of the settings.

        `nano`; a hub name; a folder; `https://host/v1#model` (also http on this machine); `scripted:FILE`.
        """
        name = name or self._settings.prompter
        with self._lock:
            if name not in self._prompters:
                self._prompters[name] = self._load_prompter(name)
            return self._prompters[name]

    def segmenter(self, name: str | None = None) -> Segmenter:
        """The segmenter with this name, by default that of the settings: `nano`, `box`, a hub name, a folder, a `.pth` file."""
        name = name or self._settings.segmenter
        with self._lock:
            if name not in self._segmenters:
                self._segmenters[name] = self._load_segmenter(name)
            return self._segmenters[name]

    def calibration(self, *, own_prompts: bool) -> "Usable":
        """The calibration of the settings' models: the one in the segmenter's folder, else the one in the prompter's.

        `own_prompts`: for what the prompter itself finds; else for a person's prompts, for which the prompter does not matter.
        Raises `model_unavailable` for a damaged file.
        """
        names = [(self._settings.segmenter, "segmenter"), (self._settings.prompter, "prompter")]
        remark = ""
        for name, part in names:
            folder = _folder(name, part)
            loaded = Loaded.load(folder) if folder else None
            if loaded is None:
                continue
            why = self._differs(loaded, own_prompts)
            if not why:
                return Usable(loaded, "")
            remark = remark or f"{FILE} of {part} {model_name(name)} is not used: it was made for {why}"
        return Usable(None, remark)

    def _differs(self, loaded: Loaded, own_prompts: bool) -> str:
        """What a calibration was made for that is not so here; empty where nothing differs."""
        table, settings = loaded.table, self._settings
        if table.segmenter != self.segmenter().digest:
            return "another segmenter's weights"
        if not own_prompts:
            return ""
        if table.prompter != self.prompter().digest:
            return "another prompter's weights"
        if table.style != settings.style:
            return f"the style {table.style}"
        return "" if table.samples == settings.samples else f"{table.samples} samples"

    def _load_prompter(self, name: str) -> Prompter:
        style = style_named(self._settings.style)
        if name.startswith("scripted:"):
            from t2s_agent.prompting.scripted import ScriptedPrompter

            return ScriptedPrompter(Path(name.removeprefix("scripted:")), style=style)
        if name.startswith(("http://", "https://")):
            from t2s_agent.prompting.endpoint import EndpointPrompter

            url, model = _parse_served(name)
            return EndpointPrompter(
                url,
                model,
                style=style,
                frame=self._settings.endpoint_frame,
                frames_file=self._settings.frames_file,
                timeout_s=self._settings.endpoint_timeout_s,
                **self._common_options(),
            )
        from t2s_agent.prompting.local import TransformersPrompter

        where = _locate(name, "prompter", HUB_PROMPTERS)
        return TransformersPrompter.load(
            where,
            name=name,
            style=style,
            device=self._settings.device,
            dtype=self._settings.dtype,  # type: ignore[arg-type]  # any text of the user's; open_checkpoint refuses what it does not know
            **self._common_options(),
        )

    def _common_options(self) -> dict[str, Any]:
        """The options that local and served models have in common."""
        return {"sampling": Sampling.of(self._settings), "max_new_tokens": self._settings.max_new_tokens}

    def _load_segmenter(self, name: str) -> Segmenter:
        from t2s_agent.segmenting.cache import EmbeddingCache

        if name == "box":
            from t2s_agent.segmenting.box import BoxSegmenter

            return BoxSegmenter()
        own = self._embeddings
        cache = own or EmbeddingCache(self._settings.embedding_bytes, folder=self._settings.store / "embeddings")
        device, dtype = self._settings.device, self._settings.dtype
        if name.endswith(".pth"):
            from t2s_agent.segmenting.sam import SamSegmenter

            return SamSegmenter.load(Path(name), device=device, cache=cache)
        from t2s_agent.segmenting.sam2 import Sam2Segmenter

        folder = model_folder(_locate(name, "segmenter", HUB_SEGMENTERS))
        if not _is_close_up(folder):
            return Sam2Segmenter.load(folder, name=name, device=device, dtype=dtype, cache=cache)
        from t2s_agent.segmenting.close_up import CloseUpSegmenter

        near = own or EmbeddingCache(self._settings.embedding_bytes)  # many small embeddings: no files
        return CloseUpSegmenter(Sam2Segmenter.load(folder, name=name, device=device, dtype=dtype, cache=near))


def _folder(name: str, part: str) -> Path | None:
    """Where a calibration for a model may lie; None for a model without a folder."""
    if name == "box" or name.startswith(("http://", "https://", "scripted:")):
        return None
    if name.endswith(".pth"):
        return Path(name).expanduser().parent
    return model_folder(_locate(name, part, HUB_PROMPTERS if part == "prompter" else HUB_SEGMENTERS))


def _locate(name: str, part: str, hub: tuple[str, ...]) -> str:
    """A folder or hub name for loading. Raises `model_unavailable` with similar names for anything else."""
    if name == "nano":
        folder = nano_folder(part)
        if not (folder / "config.json").is_file():
            raise T2SError(
                "model_unavailable",
                f"this installation has no nano {part}",
                "Install the wheel, or name another model",
            )
        return str(folder)
    if Path(name).is_dir() or "/" in name:
        return name
    near = get_close_matches(name, ["nano", "box", *hub], 2, 0.4)
    fix = f"Did you mean {' or '.join(near)}?" if near else f"Use nano, {hub[0]} or a folder"
    raise T2SError("model_unavailable", f"there is no {part} {name!r}", fix)
