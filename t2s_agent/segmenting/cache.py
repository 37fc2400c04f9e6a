"""Caches embeddings by content: in memory up to a limit of bytes, and on disk for other processes."""

import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from t2s_agent.errors import T2SError
from t2s_agent.segmenting.segmenter import Embedding

_COUNT_AFTER = 100  # writes after which the size of the folder is computed again
_STALE_S = 3600.0  # longer than the write of any embedding


class EmbeddingCache:
    """Removes the least recently used embeddings first. Computes each key once, also when several threads request it.

    `max_bytes` limits the memory. With a `folder`, embeddings are also written there (safetensors, atomically) up to
    `max_disk_bytes`: the oldest files are deleted first, or, with `keep_first`, nothing is written once it is full, which is
    better for repeated passes over more images than fit. A damaged file is deleted and computed again.
    """

    def __init__(
        self,
        max_bytes: int = 512 * 2**20,
        folder: Path | None = None,
        max_disk_bytes: int = 2 * 2**30,
        *,
        keep_first: bool = False,
    ) -> None:
        self._max_bytes, self._folder, self._max_disk_bytes = max_bytes, folder, max_disk_bytes
        self._keep_first = keep_first
        self._on_disk: int | None = None  # bytes, as far as this process knows
        self._written = 0
        self.made = self.from_memory = self.from_disk = 0  # number of embeddings from each source
        self._held: OrderedDict[str, Embedding] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}

    @property
    def nbytes(self) -> int:
        """Bytes used in memory."""
        with self._lock:
            return sum(embedding.nbytes for embedding in self._held.values())

    def missing(self, keys: Iterable[str]) -> set[str]:
        """The keys that are neither in memory nor on disk now."""
        with self._lock:
            gone = {key for key in keys if key not in self._held}
        return {key for key in gone if (file := self._file(key)) is None or not file.is_file()}

    def get(self, key: str, make: Callable[[], Embedding]) -> Embedding:
        """The embedding of a key: from memory, from disk, or computed with `make`."""
        with self._lock:
            own = self._making.setdefault(key, threading.Lock())
        with own:
            with self._lock:
                if key in self._held:
                    self._held.move_to_end(key)
                    self.from_memory += 1
                    return self._held[key]
            embedding = self._read(key)
            found = embedding is not None
            if embedding is None:
                embedding = make()
                self._write(embedding)
            with self._lock:
                self.made, self.from_disk = self.made + (not found), self.from_disk + found
                self._making.pop(key, None)
                self._held[key] = embedding
                while self._held and sum(e.nbytes for e in self._held.values()) > self._max_bytes:
                    self._held.popitem(last=False)
            return embedding

    def _file(self, key: str) -> Path | None:
        return self._folder and self._folder / f"{key}.safetensors"

    def _read(self, key: str) -> Embedding | None:
        file = self._file(key)
        if file is None or not file.is_file():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, framework="pt") as opened:
                size = opened.metadata()
                features = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
            nbytes = sum(t.nbytes for t in features.values())
            return Embedding(key, int(size["height"]), int(size["width"]), features, nbytes)
        except (SafetensorError, KeyError, TypeError, ValueError):
            file.unlink(missing_ok=True)
            return None

    def _write(self, embedding: Embedding) -> None:
        file = self._file(embedding.key)
        if file is None or not embedding.features:
            return
        if self._keep_first and self._bytes_on_disk(file.parent) + embedding.nbytes > self._max_disk_bytes:
            return
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        fresh = file.with_suffix(f".{secrets.token_hex(8)}.new")  # another container may have our process id
        size = {"height": str(embedding.height), "width": str(embedding.width)}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: t.contiguous().cpu() for name, t in embedding.features.items()}, fresh, metadata=size)
            fresh.replace(file)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                fresh.unlink()
            raise T2SError(
                "output_unwritable", f"an embedding could not be written to {file.parent}", "Make room there"
            ) from error
        first = self._on_disk is None
        self._on_disk = self._bytes_on_disk(file.parent) + (0 if first else _stat(file).st_size)
        if not self._keep_first and (first or self._on_disk > self._max_disk_bytes):
            self._bound(file)
            self._on_disk = None

    def _bytes_on_disk(self, folder: Path) -> int:
        """The size of the files: computed from time to time, since other processes write too, and updated in between."""
        self._written += 1
        if self._on_disk is None or self._written % _COUNT_AFTER == 0:
            files = list(folder.iterdir()) if folder.is_dir() else []
            self._on_disk = sum(_stat(file).st_size for file in files if file.suffix == ".safetensors")
        return self._on_disk

    def _bound(self, newest: Path) -> None:
        """Deletes the oldest files above the limit, and incomplete files of ended processes after an hour."""
        found = [
            (file, _stat(file)) for file in newest.parent.iterdir()
        ]  # another process may delete files at the same time
        total = 0
        for file, stat in sorted(found, key=lambda each: -each[1].st_mtime):
            total += stat.st_size if file.suffix == ".safetensors" else 0
            stale = file.suffix == ".new" and time.time() - stat.st_mtime > _STALE_S
            if stale or (total > self._max_disk_bytes and file.suffix == ".safetensors" and file != newest):
                file.unlink(missing_ok=True)


def _stat(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except FileNotFoundError:
        return os.stat_result((0,) * 10)
