"""Sounds for the browser: recordings as wav, and sources as loud as what was made of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.io import FileSource
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.output import AudioFormat, write_audio
from voxcycle.audio.resample import resample_blocks, resampled_length

WAV = AudioFormat("wav", "WAV", "PCM_16")
PLAYED_RATE = 48_000  # the highest that is written
SAMPLE_BYTES = 2
MAX_GAIN_DB = 20.0
MAX_PEAK = 0.98


def write_playable(path: Path, target: Path, as_loud_as: Path | None = None) -> None:
    """Write a recording as mono wav, of the mean level of another file where one is named."""
    source = FileSource(path)
    mixdown = plan_mixdown(source)
    gain = 1.0
    if as_loud_as is not None:
        other = FileSource(as_loud_as)
        own, peak = _power(mixdown.mono_blocks(source))
        wanted, _ = _power(plan_mixdown(other).mono_blocks(other))
        most = 10 ** (MAX_GAIN_DB / 20)
        gain = min((wanted / own) ** 0.5 if own else 1.0, most, MAX_PEAK / peak if peak else 1.0)
    rate = min(source.sample_rate, PLAYED_RATE)
    n_samples = resampled_length(mixdown.n_samples, source.sample_rate, rate)
    mono = mixdown.mono_blocks(source)
    blocks = resample_blocks(mono, source.sample_rate, rate, n_samples)
    levelled = (np.clip(block * np.float32(gain), -1, 1) for block in blocks)
    write_audio(target, levelled, rate, audio_format=WAV, tags={})


def _power(blocks: Iterator[NDArray[np.float32]]) -> tuple[float, float]:
    """Return the mean power of a recording, and its peak."""
    total, n_samples, peak = 0.0, 0, 0.0
    for block in blocks:
        total += float(np.square(block, dtype=np.float64).sum())
        n_samples += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    return total / max(n_samples, 1), peak
