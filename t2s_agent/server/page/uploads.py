"""Keeps images that people send to the server: each owner's in a folder of its own, opened once before anyone may ask about them.

Off unless `upload_bytes` is set. The folder is one of its owner's roots only, and is cleared by age.
"""

import hashlib
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.scene import Limits, Window, open_scene
from t2s_agent.scene.listing import ENDINGS

_FOLDER = ".uploads"  # in the store, which has no result of that name
_PART = ".part-"
_MOST = 20  # images of one owner; the oldest makes room for the next
_LONGEST_S = 1800.0  # for one image to arrive
_KEPT_FREE = 2**30  # bytes of the disk that uploads leave
_LOOK = 64  # px: the side of what is read to see that it can be
_LONGEST_STEM = 150  # bytes of a name without its ending; file systems allow 255


def folder_of(engine: Engine) -> Path:
    """The folder of the images that the Engine's owner sent. By a digest: some file systems take two owners' names for one."""
    return engine.store.folder / _FOLDER / hashlib.sha256(engine.store.owner.encode()).hexdigest()[:32]


def with_uploads(engine: Engine) -> Engine:
    """The Engine with the folder of its owner's images as the last of its roots, where there is one and uploads are allowed."""
    folder, settings = folder_of(engine), engine.settings
    if not settings.upload_bytes or not settings.roots or folder in settings.roots or not folder.is_dir():
        return engine
    return replace(engine, settings=settings.model_copy(update={"roots": (*settings.roots, folder)}))


async def receive(engine: Engine, name: str, chunks: AsyncIterable[bytes]) -> str:
    """Keeps an image that arrives in chunks and returns the name by which it may be opened.

    Raises `argument_invalid` where uploads are off or the name has no ending of an image, `limit_exceeded` above `upload_bytes`,
    `image_unreadable` for what cannot be opened, `output_unwritable` where there is no room. Then nothing is kept.
    """
    most = engine.settings.upload_bytes
    if not most:
        raise T2SError(
            "argument_invalid", "images cannot be sent to this server", "Set upload_bytes (T2S_UPLOAD_BYTES)"
        )
    wanted = safe_name(name)
    folder = folder_of(engine)
    part = folder / f"{_PART}{secrets.token_hex(8)}"
    try:
        await run_sync(_prepare, folder, engine.settings.upload_max_age_days, most)
        with anyio.fail_after(_LONGEST_S):
            await _write(part, chunks, most)
        return await run_sync(_admit, engine, part, wanted)
    except ClientDisconnect as error:
        raise T2SError("argument_invalid", f"only a part of {wanted} arrived", "Send it again") from error
    except TimeoutError as error:
        raise T2SError("limit_exceeded", f"{wanted} took more than {_LONGEST_S:g} s", "Send it again") from error
    except OSError as error:
        raise T2SError(
            "output_unwritable", f"{wanted} cannot be kept ({error.strerror})", "Make room in the folder of results"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def sweep(store: Path, max_age_days: float) -> None:
    """Deletes images that are older than that, of all owners, and what was left of broken uploads."""
    now = time.time()
    for file in (store / _FOLDER).glob("*/*"):
        with suppress(OSError):  # another process has deleted it
            age_s = now - file.lstat().st_mtime
            if age_s > max_age_days * 86_400 or (file.name.startswith(_PART) and age_s > 2 * _LONGEST_S):
                file.unlink()


def safe_name(given: str) -> str:
    """A file name of letters, digits and a few signs, with the ending of an image; no folder, nothing hidden.

    Raises `argument_invalid` for another ending.
    """
    base = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    stem, _, ending = base.rpartition(".")
    if f".{ending.lower()}" not in ENDINGS:
        raise T2SError(
            "argument_invalid", f"{base[:60]!r} is not named as an image", f"Send one of {', '.join(ENDINGS)}"
        )
    kept = re.sub(r"[^\w .()+-]+", "_", stem).strip(" .")
    kept = kept.encode(errors="ignore")[:_LONGEST_STEM].decode(errors="ignore").strip(" .")
    return f"{kept or 'image'}.{ending.lower()}"


def _prepare(folder: Path, max_age_days: float, most: int) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(folder.parent.parent, max_age_days)
    if shutil.disk_usage(folder).free < most + _KEPT_FREE:
        raise T2SError(
            "output_unwritable", "the disk of the server is nearly full", "Make room in the folder of results"
        )


async def _write(part: Path, chunks: AsyncIterable[bytes], most: int) -> None:
    with part.open("xb", buffering=2**20) as file:  # in a folder that nobody else may enter
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise T2SError("limit_exceeded", f"the image has more than {most} bytes", "Send a smaller one")
            await run_sync(file.write, chunk)


def _admit(engine: Engine, part: Path, wanted: str) -> str:
    """Gives an image that can be opened and read its name, and returns it."""
    limits = Limits(pixels=engine.settings.max_pixels, seconds=engine.settings.read_seconds)
    try:
        with open_scene(part, limits=limits) as scene:
            width, height = min(_LOOK, scene.width), min(_LOOK, scene.height)
            for x, y in (
                (0, 0),
                (scene.width - width, scene.height - height),
            ):  # the last pixels too: it may be cut off
                scene.view(window=Window(x, y, width, height), max_size=_LOOK)
    except T2SError as error:
        raise error.changed(what=error.what.replace(part.name, wanted)) from error
    folder = part.parent
    earlier = sorted(
        (each for each in folder.iterdir() if not each.name.startswith(".")), key=lambda f: f.stat().st_mtime
    )
    for old in earlier[: max(0, len(earlier) - _MOST + 1)]:
        old.unlink(missing_ok=True)
    return _named(part, wanted, (*engine.settings.roots, folder))


def _named(part: Path, wanted: str, roots: Sequence[Path]) -> str:
    """Links the file to a name that no root has, so that it means one image only."""
    stem, _, ending = wanted.rpartition(".")
    for number in range(1, 1000):
        name = wanted if number == 1 else f"{stem}-{number}.{ending}"
        if any(os.path.lexists(root / name) for root in roots):
            continue
        with suppress(FileExistsError):  # two uploads at once
            os.link(part, part.parent / name)
            return name
    raise T2SError("output_unwritable", f"there are too many images named {wanted}", "Give it another name")
