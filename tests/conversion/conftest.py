"""Levels of a waveform by no code of the package's."""

import numpy as np
import pytest


def _frame_level_db(waveform, sample_rate, frame_s):
    """Return the RMS level of consecutive frames in dBFS."""
    length = int(frame_s * sample_rate)
    n_frames = len(waveform) // length
    frames = waveform[: n_frames * length].astype(np.float64).reshape(n_frames, length)
    return 10 * np.log10(np.maximum(np.mean(frames**2, axis=1), 1e-12))


def _measure_active_db(waveform, sample_rate):
    """Return the mean power of the frames within 40 dB of the loud ones, in dBFS."""
    level = _frame_level_db(waveform, sample_rate, 0.02)
    active = level[level > np.percentile(level, 95) - 40]
    return float(10 * np.log10(np.mean(10 ** (active / 10))))


@pytest.fixture(scope="session")
def frame_level_db():
    return _frame_level_db


@pytest.fixture(scope="session")
def measure_active_db():
    return _measure_active_db
