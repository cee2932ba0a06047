"""A part of a recording: some seconds of it, one of its channels."""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.io import AudioError, FileSource


class Part(NamedTuple):
    """Where a part begins and how long it is, in seconds; None is to the end, or all channels."""

    start_s: float = 0.0
    duration_s: float | None = None
    channel: int | None = None


WHOLE = Part()


class PartSource:
    """A part of an audio file as an `AudioSource`; AudioError where the file has no such part.

    `n_declared` is its length in samples as the header promises it, 0 where it does not say.
    """

    def __init__(self, source: FileSource, part: Part) -> None:
        self._source, self._channel = source, part.channel
        self.path, self.name, self.sample_rate = source.path, source.name, source.sample_rate
        self._first = round(part.start_s * source.sample_rate)
        self._n_wanted = sys.maxsize
        if part.duration_s is not None:
            self._n_wanted = max(1, round(part.duration_s * source.sample_rate))
        self.notes: list[str] = []
        self.n_declared = min(max(0, source.n_declared - self._first), self._n_wanted)
        if source.n_declared and not self.n_declared:
            raise AudioError(
                f"{self.name}: the part from {part.start_s:g} s on is not in it, it lasts "
                f"{source.n_declared / source.sample_rate:.2f} s; correct the list"
            )
        if part.channel is not None and not 0 <= part.channel < source.n_channels:
            raise AudioError(
                f"{self.name}: channel {part.channel} of {source.n_channels}, counted from 0, is "
                "not in it; correct the list"
            )
        self.n_channels = source.n_channels if part.channel is None else 1

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield consecutive blocks (T, n_channels)."""
        channels = slice(None) if self._channel is None else [self._channel]
        left = self._n_wanted
        for block in self._source.blocks(self._first):
            yield block[:left, channels]
            left -= len(block)
            if left <= 0:
                return
