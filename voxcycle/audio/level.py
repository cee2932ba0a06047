"""Levels of a recording: active loudness, analysis level."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

ANALYSIS_LEVEL_DB = -23.0
ACTIVE_RANGE_DB = 40.0
LEVEL_HOP_S = 0.01
FLOOR_DB = -120.0
RUMBLE_HZ = 60.0  # 0.1 dB are lost at 76 Hz, the lowest voices; 37 dB at 35 Hz, a bump on the table
RUMBLE_ORDER = 8


def remove_rumble(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Yield consecutive blocks without what is below voices: DC and its steps, bumps, wind."""
    from scipy.signal import butter, sosfilt

    filters = butter(RUMBLE_ORDER, RUMBLE_HZ, "highpass", fs=sample_rate, output="sos")
    state = np.zeros((len(filters), 2))
    for block in blocks:
        filtered, state = sosfilt(filters, block.astype(np.float64), zi=state)
        yield filtered.astype(np.float32)


def frame_power(waveform: NDArray[np.float32], hop: int) -> NDArray[np.float64]:
    """Return the mean power of consecutive frames of `hop` samples, (T,) to (ceil(T / hop),)."""
    n_frames = -(-len(waveform) // hop)
    padded = np.pad(waveform, (0, n_frames * hop - len(waveform)))
    return np.square(padded.reshape(n_frames, hop), dtype=np.float64).mean(axis=1)


def to_db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a mean power in dB re full scale, not below -120."""
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))


def moving_sum(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return the sum over each frame and `reach` frames to either side, (F,)."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    index = np.arange(len(values))
    return total[np.minimum(index + reach + 1, len(values))] - total[np.maximum(index - reach, 0)]


def moving_mean(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return `moving_sum` over the number of frames, which is smaller at the ends, (F,)."""
    return moving_sum(values, reach) / moving_sum(np.ones(len(values)), reach)


def active_power(power: NDArray[np.float64]) -> float:
    """Return the mean power over frames within 40 dB of the 95th percentile; 0 for silence."""
    threshold = np.percentile(power, 95) * 10 ** (-ACTIVE_RANGE_DB / 10)
    active = power[(power >= threshold) & (power > 0)]
    return float(active.mean()) if len(active) else 0.0


def active_level_db(waveform: NDArray[np.float32], sample_rate: int) -> float:
    """Return the active loudness in dBFS: RMS over active 10 ms frames; -inf for silence."""
    power = active_power(frame_power(waveform, round(sample_rate * LEVEL_HOP_S)))
    return 10 * np.log10(power) if power > 0 else float("-inf")
