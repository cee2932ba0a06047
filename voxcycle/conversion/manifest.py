"""`manifest.jsonl` in a folder of outputs: a line per event, appended, from which a batch resumes.

A conversion appends two rows: `started`, so that what a killed process left is known as ours, and
`ok`, `failed` or, where it is to be tried again, `stopped`. Shards append to files of their own,
the actors of a cluster to parts of these, which are merged into them. All are read, and the last
row of an utterance counts: that of the highest attempt, as clocks may jump.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Literal

import voxcycle
from voxcycle.audio.io import AudioError
from voxcycle.conversion.options import Options
from voxcycle.conversion.storage import RemotePath, is_remote, to_path
from voxcycle.files import check_folder, locking, remove_partials

MANIFEST, PATTERN, LOCK = "manifest.jsonl", "manifest*.jsonl", ".{}.lock"
Status = Literal["started", "ok", "failed", "stopped"]


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
        attempt: number of conversions of this utterance to this voice that were begun, with this.
        status: started; ok; failed, by the recording; or stopped, by a disk or a change of it.
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
    attempt: int = 0
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


class Manifest:
    """The rows of a folder of outputs; the last of each utterance and voice counts.

    Made by `open_manifest`. `rows` maps (id, voice) to that row.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder, self.path = folder, path
        self.rows: dict[tuple[str, str], Row] = {}
        for other in sorted(folder.glob(PATTERN)):
            for key, row in read_rows(other).items():
                if key not in self.rows or _age(row) >= _age(self.rows[key]):
                    self.rows[key] = row

    def append(self, *rows: Row) -> None:
        """Add rows, also to the file; OSError where it cannot be written."""
        stamped = [stamp(row) for row in rows]
        if not is_remote(self.path) or not all(row.time for row in rows):  # else actors wrote them
            write_rows(self.path, stamped)
        self.rows |= {(row.id, row.voice): row for row in stamped}

    def merge(self) -> None:
        """Move the rows of parts, also those that a killed driver left, to the file itself."""
        parts = sorted(self.folder.glob(part_of(self.path, "*").name))
        if parts:
            own = read_rows(self.path) if self.path.exists() else {}
            found = [row for part in parts for row in read_rows(part).items()]
            new = [row for key, row in found if self.rows.get(key) == row != own.get(key)]
            if isinstance(self.path, RemotePath):
                self.path.write_bytes(_to_lines([*own.values(), *new]))
            else:
                write_rows(self.path, new)
            for part in parts:
                part.unlink(missing_ok=True)

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
                and hash_file(to_path(row.source)) == made.source_sha256
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
        return made is not None and self.folder / made.output == output

    def count_attempts(self, name: str, voice: str) -> int:
        """Return how many conversions of an utterance to a voice were begun."""
        made = self.rows.get((name, voice))
        return made.attempt if made else 0

    def clean(self, rows: Iterable[Row]) -> None:
        """Remove what killed conversions left of the outputs that begin with these rows."""
        if not is_remote(self.folder):
            known = (self.rows.get((row.id, row.voice)) for row in rows)
            begun = [row for row in known if row is not None and row.status == "started"]
            remove_partials(self.folder / row.output for row in begun)


@contextmanager
def open_manifest(folder: Path, shard: tuple[int, int] | None = None) -> Iterator[Manifest]:
    """Open the manifest of a folder of outputs, which is made; no other process may meanwhile.

    Shards share the folder.

    Raises:
        AudioError: another process converts to the folder, or it cannot be written.
    """
    name = MANIFEST if shard is None else f"manifest-{shard[0]}-of-{shard[1]}.jsonl"
    if is_remote(folder):  # where nothing can be locked
        manifest = Manifest(folder, folder / name)
        manifest.merge()
        yield manifest
        manifest.merge()
        return
    check_folder(folder)
    path = folder / name
    lock, shared = (folder / LOCK.format(file) for file in (name, MANIFEST))
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with ExitStack() as stack:
                if shard is not None:
                    stack.enter_context(locking(shared, is_shared=True))
                stack.enter_context(locking(lock))
                path.open("ab").close()
                try:
                    manifest = Manifest(folder, path)
                    manifest.merge()
                    yield manifest
                    manifest.merge()
                finally:
                    if not path.stat().st_size:
                        path.unlink()
        finally:
            if is_new and {*folder.iterdir()} <= {lock, shared}:  # nothing could be converted
                lock.unlink(missing_ok=True)
                shared.unlink(missing_ok=True)
                folder.rmdir()
    except BlockingIOError:
        raise AudioError(
            f"{folder}: another process is converting to this folder; wait for it, name another "
            "folder, or share the work with --shard 1/2 and --shard 2/2"
        ) from None
    except OSError as error:
        raise AudioError(
            f"{folder}: cannot be written: {error.strerror or error}; when that is mended, the "
            "same command goes on"
        ) from error


def part_of(path: Path, name: str) -> Path:
    """Return the file in which an actor of that name keeps its rows for the manifest `path`."""
    return path.with_name(f"{path.stem}-part-{name}.jsonl")


def read_rows(path: Path) -> dict[tuple[str, str], Row]:
    """Return the last row of each (id, voice) in a file; a torn line is passed over."""
    with path.open("rb") as file:
        return {(row.id, row.voice): row for row in map(_parse, file) if row is not None}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Append rows to a file, in a store as a part of it; OSError where it cannot be written."""
    lines = _to_lines(rows)
    if isinstance(path, RemotePath):
        part_of(path, uuid.uuid4().hex).write_bytes(lines)
        return
    n_bytes = None
    try:
        with path.open("ab+") as file:
            if n_bytes := file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    lines = b"\n" + lines  # after a row that a killed process left torn
            file.write(lines)
    except OSError:
        if n_bytes is not None:
            os.truncate(path, n_bytes)  # rows are there whole or not at all
        raise


def stamp(row: Row) -> Row:
    """Return a row with version and time, which a row of an actor has already."""
    stamped = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return row if row.time else replace(row, version=voxcycle.__version__, time=stamped)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_options(options: Options, **others: object) -> str:
    """Return a hash of all that changes a result."""
    text = json.dumps([asdict(options), others], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _to_lines(rows: Iterable[Row]) -> bytes:
    text = "".join(json.dumps(asdict(row), ensure_ascii=True) + "\n" for row in rows)
    return text.encode("ascii")


def _age(row: Row) -> tuple[int, bool, str]:
    return row.attempt, row.status != "started", row.time


def _has_same_input(made: Row, row: Row) -> bool:
    return (made.options, made.source_bytes, made.source_ns) == (
        row.options,
        row.source_bytes,
        row.source_ns,
    )


def _parse(line: bytes) -> Row | None:
    try:
        stored: Any = json.loads(line)
        known = {name: stored.get(name, default) for name, default in _EXAMPLE.items()}
        if any(type(known[name]) is not type(default) for name, default in _EXAMPLE.items()):
            return None
        return Row(**known) if known["id"] and _is_inside(known["output"]) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _is_inside(output: str) -> bool:
    """Return whether an output lies in the folder of outputs; ValueError for no file's name."""
    os.fsencode(output)
    path = PurePath(output)
    return "\0" not in output and not path.is_absolute() and ".." not in path.parts


_EXAMPLE = asdict(Row("", ""))
