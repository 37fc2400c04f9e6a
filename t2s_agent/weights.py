"""Finds a model's folder by path or hub name, reads its settings, and identifies its weights."""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from t2s_agent.errors import T2SError

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_WANTED = ["*.json", "*.jinja", "*.safetensors", "*.txt", "*.model"]  # no pickles, no code
_BLOB = re.compile(r"[0-9a-f]{64}")


def model_folder(name: str, revision: str | None = None) -> Path:
    """The folder of a model: `name` itself, or the local copy of a model on the hub at a revision, downloaded if needed.

    Raises `model_unavailable` where there is neither, or where the hub cannot be reached.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_NAME.fullmatch(name):
        raise T2SError(
            "model_unavailable",
            f"there is no model folder {name!r}",
            "Give a folder with config.json, or a hub name such as RicardoString/Think2Seg-RS-3B",
        )
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_WANTED))
    except RepositoryNotFoundError as error:
        raise T2SError(
            "model_unavailable",
            f"the hub has no model {name!r}, or you have no access to it",
            "Check the name; for a gated or private model log in with `hf auth login`",
        ) from error
    except RevisionNotFoundError as error:
        raise T2SError(
            "model_unavailable",
            f"{name!r} has no revision {revision!r}",
            "Check it on the model's page, or leave it out",
        ) from error
    except HFValidationError as error:
        raise T2SError("model_unavailable", f"{name!r} is not a hub name", "Write it as OWNER/NAME") from error
    except (HfHubHTTPError, OfflineModeIsEnabled, httpx.HTTPError, OSError) as error:
        raise T2SError(
            "model_unavailable",
            f"{name!r} is not on this machine and could not be fetched ({type(error).__name__})",
            "Connect to the network once, set HF_HOME to a cache that contains it, give a folder, or use nano",
        ) from error


def read_settings(folder: Path, file: str) -> dict[str, Any]:
    """The content of a JSON file in a model's folder. Raises `model_unavailable` where it is missing or damaged."""
    try:
        settings = json.loads((folder / file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise T2SError(
            "model_unavailable", f"{folder.name}/{file} is missing or damaged", "Save or fetch the model again"
        ) from error
    if not isinstance(settings, dict):
        raise T2SError(
            "model_unavailable", f"{folder.name}/{file} is not a JSON object", "Save or fetch the model again"
        )
    return settings


def require_weights(folder: Path) -> None:
    """Raises `model_unavailable` where a folder has no weight files, or a damaged one. Reads only their headers."""
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise T2SError(
            "model_unavailable", f"{folder.name} has no weights (*.safetensors)", "Save or fetch the model again"
        )
    for file in files:
        try:
            with safe_open(file, framework="np"):
                pass
        except (OSError, SafetensorError) as error:
            raise T2SError(
                "model_unavailable", f"{folder.name}/{file.name} is damaged", "Save or fetch the model again"
            ) from error


def weights_bytes(folder: Path) -> int:
    """The size of the weight files in bytes; 0 where there are none."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def weights_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the weight files.

    The hub's cache names large files by their SHA-256, so those are not read; other files are read once per
    process, and again after their size or modification time has changed.
    """
    sha = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        blob = file.resolve()
        stat = blob.stat()
        own = blob.name if _BLOB.fullmatch(blob.name) else _content_digest(blob, stat.st_size, stat.st_mtime_ns)
        sha.update(f"{file.name} {own}\n".encode())
    return sha.hexdigest()


@lru_cache(maxsize=256)
def _content_digest(file: Path, size: int, changed_ns: int) -> str:  # noqa: ARG001 - the cache's key
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
