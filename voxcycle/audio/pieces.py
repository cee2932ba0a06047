"""A file that is read as if it consisted of other pieces, such as one with a mended header."""

import bisect
import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

Piece = bytes | range  # bytes as they are, or the place of bytes in the file


class PiecedFile(io.RawIOBase):
    """Pieces of a file, joined; seekable, read only."""

    def __init__(self, path: Path, pieces: Sequence[Piece]) -> None:
        self._file = path.open("rb")
        self._pieces = pieces
        self._starts = [0, *itertools.accumulate(map(len, pieces))]
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; one before the beginning is the beginning."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._starts[-1]}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Read at most to the end of a piece; returns the number of bytes."""
        index = bisect.bisect_right(self._starts, self._position) - 1
        if index >= len(self._pieces):
            return 0
        piece, skipped = self._pieces[index], self._position - self._starts[index]
        wanted = piece[skipped : skipped + len(buffer)]
        if isinstance(wanted, range):
            self._file.seek(wanted.start)
            wanted = self._file.read(len(wanted))
        buffer[: len(wanted)] = wanted
        self._position += len(wanted)
        return len(wanted)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
