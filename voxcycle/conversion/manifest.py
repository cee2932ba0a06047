"""`manifest.jsonl` in a folder of outputs: a line per event, appended, from which a batch resumes.

A conversion appends two rows: `started`, so that what a killed process left is known as ours, and
`ok` or `failed`. Shards append to files of their own; all of them are read.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePath
from typing import Any, Literal

import voxcycle
from voxcycle.audio.io import AudioError
from voxcycle.conversion.options import Options
from voxcycle.files import check_folder, remove_partials

MANIFEST, PATTERN, LOCK = "manifest.jsonl", "manifest*.jsonl", ".{}.lock"
Status = Literal["started", "ok", "failed"]


@dataclass(frozen=True, slots=True)
class Row:
    """An event of one conversion.

    Attributes:
        id: of the utterance; unique together with `voice`.
        voice: name of the voice.
        source: absolute path of the recording.
        output: path of the output in its folder.
        offset: start of the part that is converted, in seconds.
        seconds: length of the output.
        options: hash of all that changes the result: voice, vocoder, options, format, part.
        status: started, ok or failed.
        message: the error, or notes.
        source_bytes: size of the recording.
        source_ns: time of its last change, nanoseconds since 1970.
        source_sha256: of the recording.
        output_bytes: size of the output.
        output_sha256: of the output.
        n_samples: of the output.
        sample_rate: of the output, in Hz.
        version: of the program.
        time: when the row was written, UTC.
    """

    id: str
    voice: str
    source: str = ""
    output: str = ""
    offset: float = 0.0
    seconds: float = 0.0
    options: str = ""
    status: Status = "started"
    message: str = ""
    source_bytes: int = 0
    source_ns: int = 0
    source_sha256: str = ""
    output_bytes: int = 0
    output_sha256: str = ""
    n_samples: int = 0
    sample_rate: int = 0
    version: str = ""
    time: str = ""


TYPES = {f.name: f.type for f in fields(Row)}


class Manifest:
    """The rows of a folder of outputs; the last of each utterance and voice counts.

    Made by `open_manifest`. `rows` maps (id, voice) to that row.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder, self.path = folder, path
        self.rows: dict[tuple[str, str], Row] = {}
        for other in sorted(folder.glob(PATTERN)):
            self._read(other)

    def append(self, row: Row) -> None:
        """Add a row, also to the file; OSError where it cannot be written."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        stored = asdict(row) | {"version": voxcycle.__version__, "time": stamp}
        line = json.dumps(stored, ensure_ascii=True) + "\n"
        with self.path.open("ab") as file:
            if file.tell() and not self._ends_a_line():
                line = "\n" + line  # after a row that a killed process left torn
            file.write(line.encode("ascii"))
        self.rows[row.id, row.voice] = row

    def is_done(self, row: Row, verifies: bool = False) -> bool:
        """Return whether what `row` is to become was made before and is still there.

        `row` holds what a new conversion would begin with. With `verifies` both files are hashed.
        """
        made = self.rows.get((row.id, row.voice))
        if made is None or made.status != "ok" or not _has_same_input(made, row):
            return False
        output = self.folder / made.output
        try:
            is_there = output.stat().st_size == made.output_bytes and made.output == row.output
            return is_there and (
                not verifies
                or hash_file(output) == made.output_sha256
                and hash_file(Path(row.source)) == made.source_sha256
            )
        except OSError:
            return False

    def has_failed(self, row: Row) -> str:
        """Return the error of the same conversion before, or an empty text."""
        made = self.rows.get((row.id, row.voice))
        is_same = made is not None and made.status == "failed" and _has_same_input(made, row)
        return made.message if made is not None and is_same else ""

    def is_ours(self, name: str, voice: str, output: Path) -> bool:
        """Return whether an earlier call made, or began to make, an output of this utterance."""
        made = self.rows.get((name, voice))
        is_made = made is not None and made.status != "failed"
        return made is not None and is_made and self.folder / made.output == output

    def clean(self, row: Row) -> None:
        """Remove what a killed conversion left of this output."""
        made = self.rows.get((row.id, row.voice))
        if made is not None and made.status == "started":
            remove_partials(self.folder / made.output)

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) == b"\n"

    def _read(self, path: Path) -> None:
        """Take the rows of a file; a torn line is passed over."""
        with path.open("rb") as file:
            for line in file:
                row = _parse(line)
                if row is not None:
                    self.rows[row.id, row.voice] = row


@contextmanager
def open_manifest(folder: Path, shard: tuple[int, int] | None = None) -> Iterator[Manifest]:
    """Open the manifest of a folder of outputs, which is made; no other process may meanwhile.

    Raises:
        AudioError: another process converts to the folder, or it cannot be written.
    """
    from filelock import FileLock, Timeout

    name = MANIFEST if shard is None else f"manifest-{shard[0]}-of-{shard[1]}.jsonl"
    try:
        check_folder(folder)
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        path, lock = folder / name, folder / LOCK.format(name)
        with FileLock(lock, timeout=0):
            path.open("ab").close()
            yield Manifest(folder, path)
            if not path.stat().st_size:
                path.unlink()
        if is_new and list(folder.iterdir()) in ([], [lock]):  # nothing could be converted
            lock.unlink(missing_ok=True)
            folder.rmdir()
    except Timeout:
        raise AudioError(
            f"{folder}: another process is converting to this folder; wait for it, name another "
            "folder, or share the work with --shard 1/2 and --shard 2/2"
        ) from None
    except PermissionError as error:
        raise AudioError(f"{folder}: cannot be written: {error.strerror}; name another") from error


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_options(options: Options, **others: object) -> str:
    """Return a hash of all that changes a result."""
    text = json.dumps([asdict(options), others], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _has_same_input(made: Row, row: Row) -> bool:
    return (made.options, made.source_bytes, made.source_ns) == (
        row.options,
        row.source_bytes,
        row.source_ns,
    )


def _parse(line: bytes) -> Row | None:
    try:
        stored: Any = json.loads(line)
        known = {name: stored[name] for name in TYPES if name in stored}
        if any(type(known[name]) is not type(default) for name, default in _EXAMPLE.items()):
            return None
        return Row(**known) if _is_inside(known["output"]) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _is_inside(output: str) -> bool:
    """Return whether an output lies in the folder of outputs; ValueError for no file's name."""
    os.fsencode(output)
    path = PurePath(output)
    return "\0" not in output and not path.is_absolute() and ".." not in path.parts


_EXAMPLE = asdict(Row("", ""))
