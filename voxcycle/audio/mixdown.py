"""What a recording must be to be converted, and its way to mono."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.blas import one_blas_thread
from voxcycle.audio.io import AudioError, AudioSource, FileSource
from voxcycle.audio.resample import resample

MIN_DURATION_S = 0.1
SILENCE = 1e-4  # -80 dBFS
DEAD_CHANNEL_DB = 40.0
FULL_SCALE = 0.9995
MAX_CLIPPED_SHARE = 0.5
CLIPPED_NOTE_SHARE = 0.01


@dataclass(frozen=True)
class Mixdown:
    """How a source of `n_samples` becomes mono, and notes for its owner.

    `weights` (C,) are 0 for dead channels; the others share 1, negative where the polarity is
    inverted. `offset` (C,) holds the means of the channels, which are subtracted.
    """

    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    n_samples: int
    notes: list[str]

    def channel_blocks(self, source: AudioSource) -> Iterator[NDArray[np.float32]]:
        """Yield the source's blocks as its live channels (T, n), without their offsets."""
        for block in source.blocks():
            yield np.asarray((block - self.offset)[:, self.weights != 0], np.float32)

    def mono_blocks(self, source: AudioSource) -> Iterator[NDArray[np.float32]]:
        """Yield the source's blocks as mono (T,)."""
        for block in source.blocks():
            with one_blas_thread():
                mono = (block - self.offset) @ self.weights
            yield np.asarray(mono, np.float32)


def plan_mixdown(source: AudioSource) -> Mixdown:
    """Read a source once, check it, and decide how it becomes mono.

    A channel 40 dB below the loudest is dead and does not count, so that a voice on one channel of
    two keeps its level. One with the polarity of the loudest inverted is inverted back.

    Raises:
        AudioError: no samples, too short, silent, clipped throughout, or not finite.
    """
    n_samples, n_clipped = 0, np.zeros(source.n_channels)
    peak, total = np.zeros(source.n_channels), np.zeros(source.n_channels)
    products = np.zeros((source.n_channels, source.n_channels))
    for block in source.blocks():
        if not np.isfinite(block).all():
            first = n_samples + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise AudioError(
                f"{source.name}: sample {first} ({first / source.sample_rate:.2f} s) is not a "
                "finite number; save the recording again"
            )
        magnitude = np.abs(block)
        n_samples += len(block)
        n_clipped += ((magnitude >= FULL_SCALE) & (magnitude <= 1.0)).sum(axis=0)
        peak = np.maximum(peak, magnitude.max(axis=0))
        wide = block.astype(np.float64)
        total += wide.sum(axis=0)
        with one_blas_thread():
            products += wide.T @ wide
    if not n_samples:
        raise AudioError(f"{source.name}: no samples in it; record or export it again")
    duration_s = n_samples / source.sample_rate
    if duration_s < MIN_DURATION_S:
        raise AudioError(
            f"{source.name}: too short ({1000 * duration_s:.0f} ms); at least "
            f"{1000 * MIN_DURATION_S:.0f} ms are needed"
        )
    offset = total / n_samples
    covariance = products / n_samples - np.outer(offset, offset)
    power = np.diag(covariance)
    loudest = int(np.argmax(power))
    if peak.max() < SILENCE or power[loudest] < (SILENCE / 10) ** 2:
        raise AudioError(
            f"{source.name}: silent, there is nothing above -80 dBFS; check the microphone or the "
            "channel that was recorded"
        )
    live = power > power[loudest] * 10 ** (-DEAD_CHANNEL_DB / 10)
    clipped_share = float(n_clipped[live].mean() / n_samples)
    if clipped_share > MAX_CLIPPED_SHARE:
        raise AudioError(
            f"{source.name}: {clipped_share:.0%} of the samples are at full scale: the speech is "
            "lost to clipping; record it again at a lower level"
        )
    correlation = covariance[loudest] / np.sqrt(np.maximum(power, 1e-30) * power[loudest])
    is_inverted = live & (correlation < -0.5)
    weights = np.where(is_inverted, -1.0, 1.0) * live / live.sum()
    notes = list(source.notes)
    if clipped_share > CLIPPED_NOTE_SHARE:
        notes.append(f"{clipped_share:.0%} of the samples are clipped, which will be heard")
    if not live.all():
        dead = ", ".join(str(i + 1) for i in np.flatnonzero(~live))
        notes.append(f"channel {dead} is silent and was left out")
    return Mixdown(weights.astype(np.float32), offset.astype(np.float32), n_samples, notes)


def load_mono(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Read a whole file as mono at `sample_rate`, (T,); AudioError as `plan_mixdown`."""
    source = FileSource(path)
    mixdown = plan_mixdown(source)
    mono = np.concatenate(list(mixdown.mono_blocks(source)))
    return resample(mono, source.sample_rate, sample_rate)
