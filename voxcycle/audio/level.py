"""Levels of a recording: active loudness, analysis level."""

import numpy as np
from numpy.typing import NDArray

ANALYSIS_LEVEL_DB = -23.0
ACTIVE_RANGE_DB = 40.0
LEVEL_HOP_S = 0.01


def frame_power(waveform: NDArray[np.float32], hop: int) -> NDArray[np.float64]:
    """Return the mean power of consecutive frames of `hop` samples, (T,) to (ceil(T / hop),)."""
    n_frames = -(-len(waveform) // hop)
    padded = np.pad(waveform, (0, n_frames * hop - len(waveform)))
    return np.square(padded.reshape(n_frames, hop), dtype=np.float64).mean(axis=1)


def active_power(power: NDArray[np.float64]) -> float:
    """Return the mean power over frames within 40 dB of the 95th percentile; 0 for silence."""
    threshold = np.percentile(power, 95) * 10 ** (-ACTIVE_RANGE_DB / 10)
    active = power[(power >= threshold) & (power > 0)]
    return float(active.mean()) if len(active) else 0.0


def active_level_db(waveform: NDArray[np.float32], sample_rate: int) -> float:
    """Return the active loudness in dBFS: RMS over active 10 ms frames; -inf for silence."""
    power = active_power(frame_power(waveform, round(sample_rate * LEVEL_HOP_S)))
    return 10 * np.log10(power) if power > 0 else float("-inf")


def normalize_level(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Bring a waveform (T,) to -23 dBFS of active loudness; silence stays as it is."""
    level = active_level_db(waveform, sample_rate)
    gain = 10 ** ((ANALYSIS_LEVEL_DB - level) / 20) if np.isfinite(level) else 1.0
    return (waveform * gain).astype(np.float32)
