"""A file that libsndfile opens, as a whole or in pieces, and what its header says."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import soundfile

from voxcycle.audio.containers import STREAMED_LENGTH, Layout
from voxcycle.audio.pieces import Piece, PiecedFile

UNKNOWN_FRAMES = (1 << 36) - 1  # or more: what flac says, and libsndfile, of an unknown length
MIN_LEFT_S = 0.1  # of bytes behind the sound that are worth a note


class Stream(soundfile.SoundFile):
    """A file that is read from its beginning to its end: soundfile seeks after each block."""

    def seekable(self) -> bool:
        """Return False: the end of a file of unknown length is no place to seek."""
        return False


@contextmanager
def open_stream(path: Path, pieces: Sequence[Piece]) -> Iterator[Stream]:
    """Open pieces of a file, or all of it where there are none; soundfile's errors pass."""
    with ExitStack() as stack:
        if pieces:
            file = stack.enter_context(io.BufferedReader(PiecedFile(path, pieces)))
            yield stack.enter_context(Stream(file))
        else:
            local = isinstance(path, Path)  # what is none opens itself
            yield stack.enter_context(
                Stream(path if local else stack.enter_context(path.open("rb")))
            )


def declared_length(opened: soundfile.SoundFile) -> int:
    """Return the samples that the header promises, 0 if none; libsndfile logs a mismatch."""
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", opened.extra_info, re.MULTILINE)
    if found and opened.frames:
        declared, present = int(found[1]), int(found[2])
        if present < declared < STREAMED_LENGTH:
            return int(declared * opened.frames / present)
    return int(opened.frames) if opened.frames < UNKNOWN_FRAMES else 0


def describe_length(layout: Layout, n_read: int, n_declared: int, sample_rate: int) -> list[str]:
    """Return notes where the header does not say what was found.

    Samples: `n_read` are there, libsndfile takes the header to promise `n_declared`.
    """
    read_s, declared_s = n_read / sample_rate, n_declared / sample_rate
    left_s = 0.0
    if layout.n_read:
        if layout.n_declared is None:
            return [f"the header gives no length: all {read_s:.1f} s to its end are read"]
        declared_s = read_s * layout.n_declared / layout.n_read
        left_s = read_s * layout.n_left / layout.n_read
    notes = []
    if read_s < 0.99 * declared_s:
        notes.append(
            f"the file is cut short: {read_s:.1f} s of the {declared_s:.1f} s that its header "
            "promises are there"
        )
    elif layout.n_declared and layout.n_declared < layout.n_read:
        notes.append(
            f"the header promises {declared_s:.1f} s, but the sound goes on: all {read_s:.1f} s to "
            "the end of the file are read"
        )
    if left_s >= MIN_LEFT_S:
        notes.append(
            f"the header ends the sound at {declared_s:.1f} s: what lies behind it, which would be "
            f"{left_s:.1f} s of sound, is left out"
        )
    return notes
