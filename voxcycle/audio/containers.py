"""Where the sound of a file lies, if its header gives a wrong length or none, or files are joined.

libsndfile reads what a header promises. Recorders that were cut off and programs that write into a
pipe leave a wrong length or none; and of files that are joined end to end, each with its own
header, libsndfile reads the first.
"""

import itertools
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from voxcycle.audio.mpeg import split_mpeg
from voxcycle.audio.pieces import Piece

MAX_CHUNKS = 10_000  # on each side of the sound, or joined files; recorders write a dozen
MIN_GOING_ON = 1024  # bytes of sound behind its promised end; fewer are filling
STREAMED_LENGTH = 0x7FFFF000  # or more: its writer did not know the length
MAX_LENGTH = 1 << 40  # bytes that a header of 64 bits can mean
SCAN_BYTES = 1 << 20
# What no sound contains, by a file's first bytes: that joined files of the kind begin with.
JOINED = {b"fLaC": b"fLaC\x00\x00\x00\x22", b"OggS": b"OggS\x00\x02" + bytes(8)}


class Layout(NamedTuple):
    """How a file is read: its parts, one after the other, each made of pieces of the file.

    No pieces are the whole file. Bytes of sound: `n_read` are read, the header promises
    `n_declared`, and `n_left` behind them are of no known kind. `n_declared` is None where the
    header gives no length; all are 0 where nothing needs to be said.
    """

    parts: list[list[Piece]]
    n_read: int = 0
    n_declared: int | None = 0
    n_left: int = 0


WHOLE = Layout([[]])


class _Kind(NamedTuple):
    """Format of a chunk's size, name of the chunk of sound, place of the first chunk, padding."""

    size: str
    sound: bytes
    first: int
    pad: int


KINDS = {
    b"RIFF": _Kind("<I", b"data", 12, 2),
    b"RIFX": _Kind(">I", b"data", 12, 2),
    b"RF64": _Kind("<I", b"data", 12, 2),
    b"FORM": _Kind(">I", b"SSND", 12, 2),
    b"caff": _Kind(">q", b"data", 8, 1),
}


def find_sound(path: Path) -> Layout:
    """Return where the sound lies in a file; mp3, flac and ogg are read once, wholly."""
    with path.open("rb") as file:
        magic = _read_at(file, 0, 4)
        if magic in KINDS:
            return _find_chunk(file, magic)
        if magic == b".snd":
            return _find_au_sound(file)
        if magic in JOINED:
            return _split_joined(file, JOINED[magic])
        if magic[:3] == b"ID3" or (magic[0] == 0xFF and magic[1] >= 0xE0):
            return Layout(split_mpeg(file) or [[]])
    return WHOLE


def _split_joined(file: BinaryIO, beginning: bytes) -> Layout:
    """Return the parts of a file that was joined from several with the same beginning."""
    starts, page_end, size = [], -1, _measure(file)
    for start in _find_all(file, beginning):
        if start != page_end:  # the streams of one recording begin side by side
            starts.append(start)
        page_end = _find_page_end(file, start)
        if len(starts) > MAX_CHUNKS:
            break
    if len(starts) < 2:
        return WHOLE
    cuts = [0, *starts[1:], size]
    return Layout([[range(a, b)] for a, b in itertools.pairwise(cuts)])


def _find_chunk(file: BinaryIO, magic: bytes) -> Layout:
    """Find the sound in a file of chunks, where libsndfile would find less."""
    kind, size = KINDS[magic], _measure(file)
    (outer,) = struct.unpack(kind.size[0] + "I", _read_at(file, 4, 4))
    if magic == b"RIFF" and _read_at(file, outer + 8, 4) == magic:
        return _split_riff(file)
    wide, first = 0, kind.first
    for name, place, n_bytes in _list_chunks(file, kind, kind.first):
        if name == b"ds64" and magic == b"RF64":
            outer, wide = struct.unpack("<QQ", _read_at(file, place, 16))
            first = place + n_bytes
        if name == kind.sound:
            break
    else:
        return WHOLE
    declared = wide if magic == b"RF64" and n_bytes == 0xFFFFFFFF else n_bytes
    there = size - place
    mended = Layout([_mend(magic, first, place, size)], there)
    if magic == b"caff" and not 0 < declared <= there:
        is_cut = there < declared < MAX_LENGTH
        return mended._replace(n_declared=declared if is_cut else there)
    if declared >= there:
        return WHOLE  # libsndfile stops at the end of the file
    behind = place + declared
    left = size - _skip_chunks(file, kind, behind)
    is_long = STREAMED_LENGTH <= declared and magic == b"RIFF"
    goes_on = left >= MIN_GOING_ON and outer + 8 >= size
    if left == size - behind and (declared == 0 or is_long or goes_on):
        return mended._replace(n_declared=there if is_long else declared or None)
    return Layout([[]], declared, declared, left) if declared else WHOLE


def _split_riff(file: BinaryIO) -> Layout:
    """Return the parts of a file that was joined from several wav files."""
    cuts = [0]
    while _read_at(file, cuts[-1], 4) == b"RIFF" and len(cuts) < MAX_CHUNKS:
        (outer,) = struct.unpack("<I", _read_at(file, cuts[-1] + 4, 4))
        cuts.append(cuts[-1] + outer + 8)
    return Layout([[range(a, min(b, _measure(file)))] for a, b in itertools.pairwise(cuts)])


def _find_au_sound(file: BinaryIO) -> Layout:
    """Find the sound of an au file, which reaches to its end."""
    place, declared = struct.unpack(">II", _read_at(file, 4, 8))
    there = _measure(file) - place
    if there <= 0 or declared in (there, 0xFFFFFFFF):
        return WHOLE
    pieces: list[Piece] = [range(8), b"\xff" * 4, range(12, place + there)]
    return Layout([pieces], there, there if declared >= STREAMED_LENGTH else declared or None)


def _mend(magic: bytes, first: int, place: int, size: int) -> list[Piece]:
    """Return the pieces of a file of chunks whose sound reaches from `place` to the end.

    `first` is the place of the first chunk, in RF64 of the first behind ds64.
    """
    n_bytes, sound = size - place, range(place, size)
    if magic == b"RF64" or (magic == b"RIFF" and n_bytes > 0xFFFFFFFF):
        ds64 = struct.pack("<4sIQQQI", b"ds64", 28, size, n_bytes, 0, 0)
        head = b"RF64" + b"\xff" * 4 + b"WAVE" + ds64
        return [head, range(first, place - 8), b"data" + b"\xff" * 4, sound]
    form = KINDS[magic].size
    width = struct.calcsize(form)
    length = struct.pack(form, n_bytes if width == 8 else min(n_bytes, 0xFFFFFFFF))
    return [range(place - width), length, sound]


def _list_chunks(file: BinaryIO, kind: _Kind, place: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and declared bytes of chunks, as long as their names are text."""
    width, size = 4 + struct.calcsize(kind.size), _measure(file)
    for _ in range(MAX_CHUNKS):
        if place > size:
            return
        file.seek(place)
        head = file.read(width)
        if len(head) < width or not all(0x20 <= letter < 0x7F for letter in head[:4]):
            return
        (n_bytes,) = struct.unpack(kind.size, head[4:])
        yield head[:4], place + width, n_bytes
        if n_bytes < 0:
            return
        place += width + n_bytes + n_bytes % kind.pad


def _skip_chunks(file: BinaryIO, kind: _Kind, place: int) -> int:
    """Return where the chunks from `place` on end, at most the end of the file."""
    size, end = _measure(file), place
    for _, start, n_bytes in _list_chunks(file, kind, place + place % kind.pad):
        if start + n_bytes > size:
            break
        end = start + n_bytes
    return end


def _find_all(file: BinaryIO, pattern: bytes) -> Iterator[int]:
    """Yield the places of a pattern; the file may be moved meanwhile."""
    place, window = 0, b""
    while block := _read(file, place + len(window), SCAN_BYTES):
        window += block
        found = window.find(pattern)
        while found >= 0:
            yield place + found
            found = window.find(pattern, found + 1)
        kept = min(len(window), len(pattern) - 1)
        place += len(window) - kept
        window = window[len(window) - kept :]


def _find_page_end(file: BinaryIO, start: int) -> int:
    """Return where a page of Ogg ends; -1 for other files."""
    head = _read_at(file, start, 27)
    if head[:4] != b"OggS":
        return -1
    return start + 27 + head[26] + sum(_read_at(file, start + 27, head[26]))


def _read(file: BinaryIO, place: int, n_bytes: int) -> bytes:
    file.seek(place)
    return file.read(n_bytes)


def _read_at(file: BinaryIO, place: int, n_bytes: int) -> bytes:
    """Read; zeros where the file ends."""
    return _read(file, place, n_bytes).ljust(n_bytes, b"\0")


def _measure(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size
