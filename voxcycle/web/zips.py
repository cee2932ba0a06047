"""Zip archives that are made while they are sent: nothing of them is kept in memory or on disk."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

PIECE = 1 << 20


class _Pipe(io.RawIOBase):
    """A file to write to, whose bytes are taken out again at once."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        data, self._held = bytes(self._held), bytearray()
        return data


def stream_zip(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """Yield an archive of files under the given names, uncompressed: sound does not shrink."""
    pipe = _Pipe()
    with zipfile.ZipFile(cast("IO[bytes]", pipe), "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                while data := source.read(PIECE):
                    target.write(data)
                    yield pipe.take()
    yield pipe.take()


def unlike_each_other(names: Iterable[str]) -> list[str]:
    """Return names that differ, on every system: equal ones get a number."""
    taken: set[str] = set()
    result = []
    for name in names:
        stem, dot, extension = name.rpartition(".")
        n, unique = 1, name
        while unique.lower() in taken:
            n += 1
            unique = f"{stem} ({n}){dot}{extension}" if dot else f"{name} ({n})"
        taken.add(unique.lower())
        result.append(unique)
    return result
