"""Files behind URLs (s3://, gs://, ...) by fsspec, used as paths are; each appears whole.

A `RemotePath` stands where a `Path` is expected, and has those of its methods that a batch needs.
"""

import errno
import functools
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar, cast

from voxcycle.audio.folder import AUDIO_SUFFIXES, Found, find_audio
from voxcycle.audio.io import AudioError

Result = TypeVar("Result")
REQUESTS = 32  # to a store at once
BLOCK_BYTES = 1 << 18  # that are read at once: a header, not the whole recording
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # two letters at least: C:// is a drive
PACKED = re.compile(r"\.parquet/\d+-\d+/[^/]+$")  # a recording in a row of a file


class Stat(NamedTuple):
    """Size in bytes, and the time of the last change in nanoseconds, 0 where it is not known."""

    st_size: int
    st_mtime_ns: int


class RemotePath(PurePosixPath):
    """The URL of a file or folder; OSError where its store fails."""

    answers_at_once = False

    def __str__(self) -> str:
        return re.sub(r"^([\w+.-]+:)/(?!/)", r"\1//", super().__str__())

    def absolute(self) -> "RemotePath":
        """Return the path."""
        return self

    resolve = absolute

    def is_dir(self) -> bool:
        """Return whether this is a folder."""
        return bool(self._ask("isdir"))

    def is_file(self) -> bool:
        """Return whether this is a file."""
        return bool(self._ask("isfile"))

    def exists(self) -> bool:
        """Return whether there is a file or folder."""
        return bool(self._ask("exists"))

    def stat(self) -> Stat:
        """Return size and time of the last change."""
        size = int(self._ask("info").get("size") or 0)
        try:
            changed = self._ask("modified")
        except OSError:  # the store does not say
            return Stat(size, 0)
        return Stat(size, int(changed.timestamp() * 1e9) if isinstance(changed, datetime) else 0)

    def open(self, mode: str = "r", **settings: Any) -> Any:
        """Open the file."""
        return self._ask("open", mode, block_size=BLOCK_BYTES, **settings)

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the file's text."""
        return bytes(self._ask("cat_file")).decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Write the file."""
        self._write(lambda store, place: store.pipe_file(place, data))

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            self._ask("rm_file")
        except FileNotFoundError:
            if not missing_ok:
                raise

    def glob(self, pattern: str) -> list["RemotePath"]:
        """Return the files of the folder whose names match."""
        try:
            return [path for path in self._list("ls") if fnmatch(path.name, pattern)]
        except FileNotFoundError:
            return []

    def find(self) -> list["RemotePath"]:
        """Return all files below the folder."""
        return self._list("find")

    def fetch(self, local: Path) -> None:
        """Copy the file to a local path."""
        self._ask("get_file", str(local))

    def put(self, local: Path) -> None:
        """Replace the file by a local one."""
        self._write(lambda store, place: store.put_file(str(local), place))

    def _write(self, write: Callable[[Any, str], object]) -> None:
        store, place = self._open_store()
        try:
            self._guard(write, store, place)
        except FileNotFoundError:  # a store with folders, such as sftp
            for folder in reversed(list(self.parents)[:-3]):  # below the bucket or host
                if not folder.exists():
                    folder._ask("mkdir", create_parents=False)
            self._guard(write, store, place)

    def _list(self, method: str) -> list["RemotePath"]:
        store, place = self._open_store()
        store.invalidate_cache()  # others write, too
        names = self._ask(method, detail=False)
        return [self / str(name).removeprefix(place).lstrip("/") for name in names]

    def _ask(self, method: str, *values: Any, **settings: Any) -> Any:
        store, place = self._open_store()
        return self._guard(getattr(store, method), place, *values, **settings)

    def _guard(self, function: Callable[..., Any], *values: Any, **settings: Any) -> Any:
        try:
            return function(*values, **settings)
        except Exception as error:  # stores have errors of their own
            is_missing = isinstance(error, FileNotFoundError)
            number = getattr(error, "errno", None) or (errno.ENOENT if is_missing else errno.EIO)
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise OSError(number, reason, str(self)) from error

    def _open_store(self) -> tuple[Any, str]:
        import fsspec

        try:
            return fsspec.core.url_to_fs(str(self))
        except (ImportError, ValueError) as error:  # says which package is missing
            raise AudioError(f"{self}: {error}") from error


def to_path(place: str | Path) -> Path:
    """Return a path, which is a `RemotePath` for the URL of a store."""
    text = str(place)
    if PACKED.search(text):
        from voxcycle.conversion.packed import PackedPath

        return cast(Path, PackedPath(text))
    if not URL.match(text):
        return Path(place)
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return cast(Path, RemotePath(text))


def is_remote(path: Path) -> bool:
    """Return whether a path is a `RemotePath`."""
    return isinstance(path, RemotePath)


def ask_all(function: Callable[[Path], Result], paths: Iterable[Path]) -> dict[Path, Result]:
    """Return what a function returns for each path that takes time, many of them asked at once."""
    slow = (p for p in paths if isinstance(p, RemotePath) and not p.answers_at_once)
    remote = list(dict.fromkeys(cast(Iterator[Path], slow)))
    with ThreadPoolExecutor(REQUESTS) as pool:
        return dict(zip(remote, pool.map(function, remote), strict=True))


class LocalCopy(NamedTuple):
    """A file that can be read here, and the folder that goes when nobody holds it any more."""

    path: Path
    folder: object = None


def fetch(path: Path, state: tuple[int, int]) -> LocalCopy:
    """Return a file of a store as a local one, and a local one as it is.

    `state` is that of the file: while it is the same, the last file is fetched once.
    """
    return _fetch(path, state) if is_remote(path) else LocalCopy(path)


@functools.lru_cache(maxsize=1)  # parts of one recording follow one another
def _fetch(path: RemotePath, state: tuple[int, int]) -> LocalCopy:
    folder = tempfile.TemporaryDirectory(prefix="voxcycle-")
    local = Path(folder.name) / path.name  # which outputs have as their title
    try:
        path.fetch(local)
    except OSError as error:
        raise AudioError(f"{path}: cannot be fetched: {error.strerror}") from error
    return LocalCopy(local, folder)


@contextmanager
def placing(path: Path) -> Iterator[Path]:
    """Yield where to write a file: its path, or a local one that goes to the store at the end."""
    if not isinstance(path, RemotePath):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="voxcycle-") as folder:
        local = Path(folder) / path.name
        yield local
        path.put(local)


def find_recordings(folder: Path) -> Found:
    """Return what `find_audio` does, also for a folder of a store."""
    if not isinstance(folder, RemotePath):
        return find_audio(folder)
    files = sorted(folder.find())
    shown = [f for f in files if not any(p.startswith(".") for p in f.relative_to(folder).parts)]
    audio = [cast(Path, file) for file in shown if file.suffix.lower() in AUDIO_SUFFIXES]
    others = [cast(Path, file) for file in shown if file.suffix.lower() not in AUDIO_SUFFIXES]
    return Found(audio, [], others)
