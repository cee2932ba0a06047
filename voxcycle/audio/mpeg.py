"""Frames of MPEG layer III: where they lie, and how many they are.

The length of an mp3 is in a first frame that holds no sound (Xing, Info), or nowhere. libsndfile
takes it from there or guesses it from the first frames, and reads no further. So each joined file
becomes a part of its own, and a part whose number of frames is missing or too small gets it.
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from voxcycle.audio.pieces import Piece

# By the bits of a frame's header: kbit/s of MPEG 1, and of MPEG 2 and 2.5; Hz of MPEG 1.
KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES = (44_100, 48_000, 32_000)
DIVISORS = {3: 1, 2: 2, 0: 4}  # of the rate, by the bits of the version
INFO_KBITS = 64  # makes a frame that has room for an info header at each rate
HEAD_BYTES = 4 + 32 + 12  # header, side information, info header
N_AGREEING = 3  # frames in a row; fewer are taken for other bytes
BEGINNING = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]")
MAX_PARTS = 10_000
MAX_TRIES = 100_000  # beginnings of no frame, after which no more are looked for
SCAN_BYTES = 1 << 16


class _Frame(NamedTuple):
    """A frame's place and length in the file, its first bytes, and what all of a recording share.

    `kind` holds the bits of the version, the rate in Hz and whether it is mono. An info header
    promises `n_promised` frames (None where there is none, 0 where it does not say), and as many
    bytes as stand at `promise_place` (0 where it does not say).
    """

    place: int
    n_bytes: int
    head: bytes
    kind: tuple[int, int, bool]
    n_promised: int | None
    promise_place: int


@dataclass
class _Part:
    """Frames that belong together: the first, the places of all with sound, and their number."""

    first: _Frame
    spans: list[range] = field(default_factory=list)
    n_frames: int = 0

    def add(self, frame: _Frame) -> None:
        """Add a frame that holds sound."""
        self.n_frames += 1
        stop = frame.place + frame.n_bytes
        if self.spans and self.spans[-1].stop == frame.place:
            self.spans[-1] = range(self.spans[-1].start, stop)
        else:
            self.spans.append(range(frame.place, stop))

    def pieces(self) -> list[Piece]:
        """Return an info header that promises these frames, or more that were cut off, and them."""
        first, info = self.first, self.first.promise_place
        if (first.n_promised or 0) < self.n_frames:
            return [_make_info(first, self.n_frames), *self.spans]
        stop = first.place + first.n_bytes
        if not info:
            return [range(first.place, stop), *self.spans]
        n_bytes = first.n_bytes + sum(map(len, self.spans))  # mpg123 prints a warning of another
        promise = struct.pack(">I", n_bytes)
        return [range(first.place, info), promise, range(info + 4, stop), *self.spans]


def split_mpeg(file: BinaryIO) -> list[list[Piece]]:
    """Return the parts of an mp3, each with its frames and their number; reads the whole file.

    No parts are returned where no frame was found.
    """
    parts: list[_Part] = []
    for frame in _list_frames(file):
        if not parts or frame.n_promised is not None or frame.kind != parts[-1].first.kind:
            if len(parts) == MAX_PARTS:
                break
            if parts and not parts[-1].n_frames:
                parts.pop()
            parts.append(_Part(frame))
        if frame.n_promised is None:
            parts[-1].add(frame)
    return [part.pieces() for part in parts if part.n_frames]


def _list_frames(file: BinaryIO) -> Iterator[_Frame]:
    """Yield the frames of a file in order, without what lies between them."""
    size, place, kind, n_tries = file.seek(0, os.SEEK_END), 0, None, 0
    while n_tries < MAX_TRIES:
        frame = _read_frame(file, place)
        if frame and (frame.kind == kind or _has_followers(file, frame, size)):
            if place + frame.n_bytes > size:
                return
            yield frame
            place, kind = place + frame.n_bytes, frame.kind
            continue
        n_tries, kind = n_tries + 1, None
        found = _find_beginning(file, _skip_tag(file, place, size))
        if found is None:
            return
        place = found


def _has_followers(file: BinaryIO, frame: _Frame, size: int) -> bool:
    """Return whether frames of the same kind follow, or the end of the file does."""
    place = frame.place
    for _ in range(N_AGREEING - 1):
        follower = _read_frame(file, place)
        if follower is None or follower.kind != frame.kind:
            return False
        place += follower.n_bytes
        if place == size:
            return True
    follower = _read_frame(file, place)
    return follower is not None and follower.kind == frame.kind


def _read_frame(file: BinaryIO, place: int) -> _Frame | None:
    file.seek(place)
    data = file.read(HEAD_BYTES)
    if not BEGINNING.match(data) or len(data) < 4:
        return None
    version, rate_index = data[1] >> 3 & 3, data[2] >> 2 & 3
    if rate_index == 3:
        return None
    rate, is_mono = RATES[rate_index] // DIVISORS[version], data[3] >> 6 == 3
    kbits = (KBITS_1 if version == 3 else KBITS_2)[data[2] >> 4]
    n_bytes = _frame_bytes(version, rate, kbits) + (data[2] >> 1 & 1)
    info, n_promised, promise_place = _info_place(version, is_mono), None, 0
    # Side information of a frame without sound is zero; a checksum may come before it.
    if data[info : info + 4] in (b"Xing", b"Info") and not any(data[6:info]):
        flags, n_frames = struct.unpack(">II", data[info + 4 : info + 12].ljust(8, b"\0"))
        n_promised = n_frames if flags & 1 else 0
        promise_place = place + info + 12 if flags & 3 == 3 else 0
    kind = (version, rate, is_mono)
    return _Frame(place, n_bytes, data[:4], kind, n_promised, promise_place)


def _skip_tag(file: BinaryIO, place: int, size: int) -> int:
    """Return the end of an ID3v2 tag, or the next byte."""
    file.seek(place)
    head = file.read(10)
    if len(head) == 10 and head[:3] == b"ID3":
        n_bytes = sum((byte & 0x7F) << 7 * shift for shift, byte in enumerate(head[:5:-1]))
        end = place + 10 + n_bytes
        return end if end < size else place + 1
    return place + 1


def _find_beginning(file: BinaryIO, place: int) -> int | None:
    """Return where the next beginning of a frame is; None where there is none."""
    file.seek(place)
    window = b""
    while block := file.read(SCAN_BYTES):
        window += block
        found = BEGINNING.search(window)
        if found:
            return place + found.start()
        place += max(0, len(window) - 2)
        window = window[-2:]
    return None


def _make_info(like: _Frame, n_frames: int) -> bytes:
    """Return a frame without sound that says how many follow."""
    version, rate, is_mono = like.kind
    index = (KBITS_1 if version == 3 else KBITS_2).index(INFO_KBITS)
    head = bytes([0xFF, like.head[1] | 1, index << 4 | like.head[2] & 0x0C, like.head[3]])
    info = head.ljust(_info_place(version, is_mono), b"\0") + struct.pack(
        ">4sII", b"Info", 1, n_frames
    )
    return info.ljust(_frame_bytes(version, rate, INFO_KBITS), b"\0")


def _frame_bytes(version: int, rate: int, kbits: int) -> int:
    """Return the length of a frame without padding."""
    return (144_000 if version == 3 else 72_000) * kbits // rate


def _info_place(version: int, is_mono: bool) -> int:
    """Return where an info header lies in a frame: behind the side information."""
    return 4 + ((17 if is_mono else 32) if version == 3 else (9 if is_mono else 17))
