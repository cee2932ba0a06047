"""Where files are kept, and files that appear under their names only when they are whole."""

import functools
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

CONFIG_FILE, CHECKPOINT_FILE = "config.yaml", "last.ckpt"  # in the folder of a run


def cache_dir(name: str) -> Path:
    """Return the folder of one cache, which need not exist; what is in it can be made again."""
    return _user_dir(platformdirs.user_cache_dir) / name


def data_dir() -> Path:
    """Return the folder of what the user keeps, or that named by VOXCYCLE_DATA."""
    if named := os.environ.get("VOXCYCLE_DATA"):
        return Path(os.path.expanduser(named))
    return _user_dir(functools.partial(platformdirs.user_data_dir, appauthor=False))


def _user_dir(find: Callable[[str], str]) -> Path:
    """Return a folder of the user's, `~/voxcycle` where the home folder is not known."""
    try:
        return Path(find("voxcycle"))
    except RuntimeError:
        return Path("~/voxcycle")  # which `check_folder` refuses: reading finds nothing there


def check_writable(folder: Path, remedy: str = "make it yours, or name another") -> None:
    """Raise OSError, one sentence, where no file can be written to a folder; it is not made.

    A folder that does not exist yet is writable if it can be made.
    """
    check_folder(folder)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()  # permissions do not tell of read-only disks
    except OSError as error:
        raise OSError(f"{folder}: cannot be written to ({error.strerror}); {remedy}") from error


def allow_open_files() -> None:
    """Raise this process's limit of open files as far as it may; mapped features are many."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def check_folder(path: Path) -> None:
    """Raise NotADirectoryError where a folder is needed and a file exists.

    OSError where `~` is in front: it could not be expanded, as the home folder is not known.
    """
    if path.parts[:1] == ("~",):
        raise OSError(f"{path}: the home folder is not known; set HOME")
    for folder in (path, *path.parents):
        if folder.exists():
            if not folder.is_dir():
                raise NotADirectoryError(f"{folder}: expected a folder, found a file; name another")
            return


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`: renamed to it at the end, removed after a failure.

    The folder is made if missing.

    Raises:
        NotADirectoryError: the folder is a file.
        IsADirectoryError: `path` is a folder.
        OSError: it cannot be written; names `path`.
    """
    path = path.resolve() if path.is_symlink() else path  # the file behind a link is replaced
    check_folder(path.parent)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file, found a folder; name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{_hidden_name(path)}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        named = {error.filename, error.filename2} - {None}
        if named and str(partial) not in named:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def locking(path: Path, is_shared: bool = False) -> Iterator[None]:
    """Hold a lock file, which stays; the lock goes with the process.

    `is_shared` holds it together with others that share it; Windows has no such locks.

    Raises:
        BlockingIOError: another process holds it.
    """
    with path.open("ab+") as file:
        if sys.platform == "win32":
            import msvcrt

            try:
                file.seek(0)
                if not is_shared:
                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError as error:
                raise BlockingIOError(str(error)) from error
        else:
            import fcntl

            kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        yield


def remove_partials(paths: Iterable[Path]) -> None:
    """Remove what processes that were killed while they wrote these files left beside them."""
    starts: dict[Path, set[str]] = {}
    for path in paths:
        starts.setdefault(path.parent, set()).add(_hidden_name(path))
    for folder, names in starts.items():
        for partial in folder.glob(".*.part"):
            if partial.name.rsplit(".", 2)[0] in names:
                partial.unlink(missing_ok=True)


def _hidden_name(path: Path) -> str:
    """Return how temporary names begin: short, of valid text, another one for another file."""
    start = os.fsdecode(os.fsencode(path.name)[:60]).encode("utf-8", "ignore").decode("utf-8")
    own = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]
    return f".{start}.{own}"
