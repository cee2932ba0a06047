"""Frames of a recording in bounded memory: rows in a spool, and chunks with context of a stream."""

import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.output import WriteError

CHUNK_FRAMES = 512  # 6 s: context costs little, and HiFi-GAN stays under 300 MB
SPOOL_BYTES = 1 << 23  # in memory up to here: 90 s of waveform, five minutes of mels

Frames = NDArray[np.floating[Any]]


class Window(NamedTuple):
    """A chunk with its context, as an array per column of the stream.

    Its first frame is frame `start` of the stream, negative in the context before it. After the
    context, the chunk has `n_kept` frames of the stream.
    """

    start: int
    columns: tuple[Frames, ...]
    n_kept: int


class Windows:
    """Cuts a stream into windows as soon as their context is there.

    A window has `chunk_frames` frames, `context` more before them and `look_ahead`, by default as
    many, after them. The first and last frame of the stream repeat where these reach beyond it, so
    that all windows have one shape.
    """

    def __init__(self, context: int, chunk_frames: int, look_ahead: int | None = None) -> None:
        self.context, self.chunk_frames = context, chunk_frames
        self.look_ahead = context if look_ahead is None else look_ahead
        self._columns: tuple[Frames, ...] = ()
        self._first = 0  # index in the stream of the first frame that is kept here
        self._next = 0  # first frame of the next chunk

    def push(self, *columns: Frames) -> Iterator[Window]:
        """Add frames, (F, ...) per column; yields the windows that are complete."""
        if self._columns:
            columns = tuple(
                np.concatenate(pair) for pair in zip(self._columns, columns, strict=True)
            )
        self._columns = columns
        while self._n_frames >= self._next + self.chunk_frames + self.look_ahead:
            yield self._cut()

    def flush(self) -> Iterator[Window]:
        """Yield the windows that are left at the end of the stream."""
        while self._n_frames > self._next:
            yield self._cut()

    @property
    def _n_frames(self) -> int:
        return self._first + (len(self._columns[0]) if self._columns else 0)

    def _cut(self) -> Window:
        start, stop = self._next, self._next + self.chunk_frames
        frames = np.arange(start - self.context, stop + self.look_ahead)
        held = np.clip(frames, 0, self._n_frames - 1) - self._first
        columns = tuple(column[held] for column in self._columns)
        window = Window(int(frames[0]), columns, min(stop, self._n_frames) - start)
        self._next = stop
        drop = max(stop - self.context - self._first, 0)
        drop = min(drop, self._n_frames - 1 - self._first)  # the last frame may be held
        self._columns = tuple(column[drop:] for column in self._columns)
        self._first += drop
        return window


def equal_chunk_frames(n_frames: int, max_frames: int = CHUNK_FRAMES) -> int:
    """Return the length of chunks that split `n_frames` evenly, at most `max_frames`."""
    n_chunks = -(-n_frames // max_frames)
    return -(-n_frames // n_chunks)


class SpooledFrames:
    """Float32 rows, in memory while they are few, then in a temporary file without a name.

    An hour of waveform (300 MB), its mels (100 MB) and its content (480 MB) thus cost no memory,
    and an end by any signal leaves nothing behind.
    """

    def __init__(self, n_columns: int) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)
        self._n_columns = n_columns
        self._n_rows = 0

    def __len__(self) -> int:
        return self._n_rows

    def __enter__(self) -> "SpooledFrames":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, rows: NDArray[np.float32]) -> None:
        """Add rows (N, n_columns), or (N,) where there is one column."""
        values = np.ascontiguousarray(rows, np.float32)
        try:
            self._file.seek(0, 2)
            self._file.write(values.tobytes())
            self._file.flush()
        except OSError as error:
            raise WriteError(
                f"{tempfile.gettempdir()}: no room for intermediate results ({error.strerror}); "
                "free some, or set TMPDIR to a folder with 1.4 GB for each hour of audio"
            ) from error
        self._n_rows += values.size // self._n_columns

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows (stop - start, n_columns), repeating the first and last row beyond."""
        low, high = max(start, 0), min(stop, self._n_rows)
        self._file.seek(4 * low * self._n_columns)
        data = self._file.read(4 * max(high - low, 0) * self._n_columns)
        rows = np.frombuffer(data, np.float32).reshape(-1, self._n_columns)
        return np.pad(rows, ((low - start, stop - high), (0, 0)), mode="edge")
