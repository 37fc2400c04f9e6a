"""The scenes of an archive: files, folders, globs, lists of paths, and items of STAC, each with a name that no machine changes.

**Names.** A scene of a folder is named by its path from that folder, one of a glob by its path from the folder before the first
wildcard, one of a text file by its path from the folder of the text file, a file that is named itself by its file name, an address by
itself without its query, and a STAC item by collection, id and asset. With `root` every path counts from there. Two scenes may not have
one name.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from t2s_agent.batch import stac
from t2s_agent.errors import T2SError
from t2s_agent.results.catalogue import ID
from t2s_agent.scene.listing import ENDINGS
from t2s_agent.scene.remote.address import is_address, without_secrets
from t2s_agent.text import one_line

LISTS = (".txt", ".lst")
PAIRS = (".csv", ".jsonl", ".ndjson")
ITEMS = (".json", ".geojson", ".parquet", ".geoparquet")


@dataclass(frozen=True, slots=True)
class SceneRef:
    """A scene of an archive. `version` changes where the scene does: its size in bytes, or the checksum that its item states.

    `footprint` is what an item says of its place; None for a file, which says it itself. `bands` are its red, green and blue, where an item names them. `problem` says why there is nothing to open.
    `after` makes it a pair: the same place at a later date (`batch.pairs`).
    """

    name: str
    image: str
    version: str = ""
    datetime: str = ""
    footprint: stac.Footprint | None = None
    bands: str | None = None
    problem: str = ""
    after: "SceneRef | None" = None


def find_scenes(
    given: Sequence[str], *, root: Path | None = None, asset: str = "", leave_out: Path | None = None
) -> list[SceneRef]:
    """The scenes that arguments name, in their order, each once. `leave_out` is a folder that is not searched.

    Raises `argument_invalid` where an argument holds no scene and where two scenes have one name, `image_not_found` for a name
    that is neither a file nor a folder.
    """
    finder = Finder.of(root, asset, leave_out)
    found: dict[str, SceneRef] = {}
    for argument in given:
        here = list(finder.scenes(argument))
        if not here:
            raise T2SError(
                "argument_invalid",
                f"{_said(argument)} holds no images",
                f"Name files, folders or globs of {', '.join(ENDINGS)}, a STAC item collection or a list of paths",
            )
        for scene in here:
            other = found.setdefault(scene.name, scene)
            if other.image != scene.image:
                raise T2SError(
                    "argument_invalid",
                    f"two scenes have the name {_said(scene.name)}: {_said(other.image)} and {_said(scene.image)}",
                    "Name the folder above both, or say with --root from where paths count",
                )
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds the scenes of one argument after the other; see `find_scenes`."""

    root: Path | None
    asset: str
    leave_out: Path | None

    @classmethod
    def of(cls, root: Path | None, asset: str = "", leave_out: Path | None = None) -> "Finder":
        """With a whole path as root."""
        return cls(root and _whole(root.expanduser()), asset, leave_out)

    def scenes(self, argument: str) -> Iterator[SceneRef]:
        if is_address(argument):
            yield address(argument)
            return
        path = Path(argument).expanduser()
        if path.is_dir():
            yield from self._of_folder(path)
        elif path.is_file():
            yield from self._of_file(path)
        elif glob.has_magic(argument):
            before = list(_until_magic(path))
            top = Path(*before) if before else Path()
            for name in sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 (Path.glob takes no absolute pattern)
                inside = Path(name)
                if inside.is_dir():
                    yield from self._of_folder(inside, top)
                elif inside.suffix.lower() in ENDINGS:
                    yield self._local(inside, top)
        else:
            raise T2SError("image_not_found", f"there is no file or folder {_said(argument)}", "Check the path")

    def _of_folder(self, folder: Path, top: Path | None = None) -> Iterator[SceneRef]:
        left_out = self.leave_out and self.leave_out.resolve()
        for here, folders, files in os.walk(folder):
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".")
                and not _is_result(Path(here, name))
                and Path(here, name).resolve() != left_out
            )
            for name in sorted(files):
                if name.lower().endswith(ENDINGS) and not name.startswith("."):
                    yield self._local(Path(here, name), top or folder)

    def _of_file(self, path: Path) -> Iterator[SceneRef]:
        ending = path.suffix.lower()
        if ending in LISTS:
            yield from self._of_list(path)
        elif ending in PAIRS:
            raise T2SError(
                "argument_invalid",
                f"{_said(path.name)} is no image: {', '.join(PAIRS)} files list pairs of images",
                "Add --pair to compare two dates, or list one image a line in a .txt file",
            )
        elif ending in ITEMS:
            yield from self._of_items(path)
        else:
            yield self._local(path, path.parent)

    def _of_items(self, path: Path) -> Iterator[SceneRef]:
        """The scenes of items. An item without the asset is a scene with a problem; where all are so, the first one's is raised."""
        found, first = 0, None
        for item in stac.read_items(path):
            try:
                picture = item.picture(self.asset)
            except T2SError as error:
                first = first or error
                name = _joined(item.collection, item.id, self.asset)
                yield SceneRef(
                    name, "", item.updated, item.datetime, item.footprint, problem=f"{error.what}. {error.fix}"
                )
            else:
                found += 1
                name = _joined(item.collection, item.id, picture.asset)
                version = item.version(picture.asset)
                yield SceneRef(name, picture.image, version, item.datetime, item.footprint, picture.bands)
        if first is not None and not found:
            raise first

    def _of_list(self, path: Path) -> Iterator[SceneRef]:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise T2SError(
                "argument_invalid", f"{path.name} is not a UTF-8 list of paths", "Write one a line"
            ) from error
        for line in (line.strip() for line in lines):
            if not line or line.startswith("#"):
                continue
            yield self.listed(line, path.parent)

    def listed(self, named: str, folder: Path) -> SceneRef:
        """A scene that a file in `folder` names."""
        return address(named) if is_address(named) else self._local(folder / Path(named).expanduser(), folder)

    def _local(self, path: Path, top: Path) -> SceneRef:
        """A file, which need not exist: its row says so. Its name is its path from `top`, or only its file name outside of it."""
        whole = _whole(path)
        from_here = self.root or _whole(top)
        if self.root and not whole.is_relative_to(self.root):
            raise T2SError(
                "argument_invalid", f"{_said(str(path))} is not below --root {self.root}", "Name a folder above it"
            )
        name = whole.relative_to(from_here).as_posix() if whole.is_relative_to(from_here) else whole.name
        try:
            version = str(whole.stat().st_size)
        except OSError:
            version = ""
        return SceneRef(name.encode("utf-8", "backslashreplace").decode(), str(whole), version)


def address(url: str) -> SceneRef:
    """A scene that is elsewhere; its name is its address without user, password and query, which may hold a signature."""
    return SceneRef(without_secrets(url), url)


def _until_magic(path: Path) -> Iterator[str]:
    for part in PurePosixPath(path.as_posix()).parts:
        if glob.has_magic(part):
            return
        yield part


def _joined(*names: str) -> str:
    return "/".join(name for name in names if name)


def _whole(path: Path) -> Path:
    """The absolute path without `..`; links stay as they are named."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.resolve follows links, Path.absolute keeps `..`)


def _said(text: str) -> str:
    return repr(one_line(text, 200))


def _is_result(folder: Path) -> bool:
    """Whether a folder is a stored result: r_20240101 may also be one of a person's."""
    whole = len("r_") + 24  # digits of an id that `new_id` makes; older ones have fewer
    return ID.fullmatch(folder.name) is not None and (len(folder.name) == whole or (folder / "record.json").exists())
