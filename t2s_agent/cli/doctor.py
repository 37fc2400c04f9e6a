"""Checks the installation: packages, models that can be loaded, the machine's hardware, and each setting."""

import os
import platform
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.models import HUB_PROMPTERS, HUB_SEGMENTERS, Models, nano_folder
from t2s_agent.settings import Settings

_PACKAGES = ("t2s-agent", "torch", "transformers", "segment-anything", "rasterio", "shapely", "pyproj", "mcp")


def check_installation(settings: Settings) -> dict[str, Any]:
    """Returns sections of names and findings. Loads the models of the settings, to check that they really load."""
    return {
        "installed": {name: _version(name) for name in _PACKAGES} | {"python": platform.python_version()},
        "machine": _machine(),
        "models": _models(settings),
        "settings": _settings(settings),
    }


def check_endpoint(settings: Settings, endpoint: str) -> dict[str, Any]:
    """Measures in which frame the model at `endpoint` (URL#MODEL) writes, with a drawn test picture."""
    from t2s_agent.prompting.endpoint import EndpointPrompter
    from t2s_agent.prompting.finding import find_frame

    if not endpoint.startswith(("http://", "https://")):
        raise T2SError(
            "argument_invalid",
            f"--endpoint {endpoint!r}",
            "Write it as URL#MODEL, such as http://localhost:8000/v1#NAME",
        )
    prompter = Models(settings).prompter(endpoint)
    if not isinstance(prompter, EndpointPrompter):
        raise T2SError("argument_invalid", f"--endpoint {endpoint!r}", "Write it as URL#MODEL")
    found = find_frame(prompter)
    model = endpoint.partition("#")[2]
    nearest = ", ".join(f"{name} {off:g}" for name, off in list(found.others.items())[:4])
    size, sent = ("{} x {}".format(*pair) for pair in (found.size, found.sent))
    return {
        "frame": {
            "endpoint": prompter.name,
            "fits": f"{found.fits}, {found.off_px:g} px off on average in a picture of 1200 x 780 px",
            "other frames are off by, px": nearest,
            "numbers were written in": f"{size}; the picture sent has {sent} px",
            "tokens": f"{found.prompt_tokens or 'not reported'} read, {found.tokens or 'not reported'} written",
            "the table says": found.known,
        },
        "for t2s.toml": {"endpoint_frame": found.fits},
        "for a file of your own (frames_file)": {"entry": found.entry(model)},
    }


def _settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """Returns each setting: its value, the source of the value, its meaning."""
    file = Path(os.environ.get("T2S_CONFIG", "t2s.toml"))
    written = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    told = {}
    for name, value in settings.model_dump(mode="json").items():
        variable = f"T2S_{name.upper()}"
        source = variable if variable in os.environ else str(file) if name in written else "default"
        told[name] = {"value": value, "from": source, "means": Settings.model_fields[name].description}
    return told


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _machine() -> dict[str, Any]:
    import torch

    found: dict[str, Any] = {
        "system": platform.platform(terse=True),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        found["accelerator"] = f"{torch.cuda.get_device_name()}, {torch.cuda.mem_get_info()[1] / 2**30:.0f} GiB"
    elif torch.backends.mps.is_available():
        found["accelerator"] = "mps"
    else:
        found["accelerator"] = "none: models run on the CPU"
    return found


def _models(settings: Settings) -> dict[str, str]:
    models = Models(settings)
    found = {}
    for kind, load in (("prompter", models.prompter), ("segmenter", models.segmenter)):
        name = getattr(settings, kind)
        try:
            model = load()
            chosen = getattr(model, "threads", None)
            threads = f"; computes with {chosen} thread, being small" if chosen else ""
            found[f"{kind} {name}"] = f"can be loaded, weights {model.digest[:12] or 'unknown'}{threads}"
        except T2SError as error:
            found[f"{kind} {name}"] = str(error)
    for part in ("prompter", "segmenter"):
        card = nano_folder(part) / "README.md"
        if card.is_file():
            found[f"nano's {part}"] = f"tiny, for a first try and tests; what it cannot do: {card}"
    found["also known"] = ", ".join((*HUB_PROMPTERS, *HUB_SEGMENTERS, "box"))
    return found
