"""Where files are kept, and files that appear under their names only when they are whole."""

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs


def cache_dir(name: str) -> Path:
    """Return the folder of one cache, which need not exist; what is in it can be made again."""
    return Path(platformdirs.user_cache_dir("voxcycle")) / name


def data_dir() -> Path:
    """Return the folder of what the user keeps, or that named by VOXCYCLE_DATA."""
    default = platformdirs.user_data_dir("voxcycle", appauthor=False)
    return Path(os.environ.get("VOXCYCLE_DATA") or default)


def allow_open_files() -> None:
    """Raise this process's limit of open files as far as it may; mapped features are many."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def check_folder(path: Path) -> None:
    """Raise NotADirectoryError where a folder is needed and a file exists."""
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
    finally:
        partial.unlink(missing_ok=True)


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
