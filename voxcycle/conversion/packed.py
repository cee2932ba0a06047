"""Recordings inside parquet files, used as paths are: `FILE.parquet/GROUP-ROW/NAME`."""

import errno
import functools
import io
from pathlib import Path
from typing import Any

from voxcycle.conversion.storage import RemotePath, Stat

AUDIO = "audio"  # the column, as data sets of Hugging Face have it


class PackedPath(RemotePath):
    """A recording in a row of a local parquet file; OSError where it is not there."""

    answers_at_once = True

    def is_dir(self) -> bool:
        """Return False."""
        return False

    def is_file(self) -> bool:
        """Return whether the parquet file is there."""
        return self._file.is_file()

    exists = is_file

    def stat(self) -> Stat:
        """Return size and time of the last change, those of the parquet file."""
        found = self._file.stat()
        return Stat(found.st_size, found.st_mtime_ns)

    def open(self, mode: str = "rb", **settings: Any) -> io.BytesIO:
        """Open the recording for reading bytes."""
        return io.BytesIO(self._read())

    def fetch(self, local: Path) -> None:
        """Copy the recording to a local path."""
        local.write_bytes(self._read())

    @property
    def _file(self) -> Path:
        return Path(str(self.parent.parent))

    def _read(self) -> bytes:
        group, row = map(int, self.parent.name.split("-"))
        audio = _read_group(self._file, self.stat(), group)
        value = audio[row].as_py() if row < len(audio) else None
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise OSError(errno.ENODATA, "the row holds no bytes of a recording", str(self))
        return data


@functools.lru_cache(maxsize=1)  # rows follow one another
def _read_group(file: Path, state: Stat, group: int) -> Any:
    """Return the recordings of a row group as a column of pyarrow."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            return opened.read_row_group(group, columns=[AUDIO]).column(0)
    except (pyarrow.ArrowException, IndexError, KeyError) as error:
        raise OSError(errno.EIO, f"not a parquet file as it was ({error})", str(file)) from error
