"""`SpooledFrames`: rows of numbers that may outgrow memory."""

import tempfile

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.io import AudioError

SPOOL_BYTES = 1 << 25  # in memory up to here: six minutes of waveform, twenty of mels


class SpooledFrames:
    """Float32 rows, in memory while they are few, then in a temporary file without a name.

    An hour of waveform (300 MB) and its mels (100 MB) thus cost no memory, and an end by any signal
    leaves nothing behind.
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
            raise AudioError(
                f"{tempfile.gettempdir()}: no room for intermediate results ({error.strerror}); "
                "free some, or set TMPDIR to a folder with 0.9 GB for each hour of audio"
            ) from error
        self._n_rows += values.size // self._n_columns

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows (stop - start, n_columns), repeating the first and last row beyond."""
        low, high = max(start, 0), min(stop, self._n_rows)
        self._file.seek(4 * low * self._n_columns)
        data = self._file.read(4 * max(high - low, 0) * self._n_columns)
        rows = np.frombuffer(data, np.float32).reshape(-1, self._n_columns)
        return np.pad(rows, ((low - start, stop - high), (0, 0)), mode="edge")
