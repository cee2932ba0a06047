"""Fundamental frequency: WORLD's DIO + StoneMask on mel frame centres, log-Gaussian transform.

F0 is in Hz with 0 where the frame is unvoiced.
"""

import sys
import warnings
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats

F0_MIN_HZ = 60.0
F0_MAX_HZ = 700.0
ANALYSIS_MS = 5.0
MAX_STD_RATIO = 2.0
VOICED_LOW_SHARE = 0.85  # D4C's own default threshold
MIN_RUN_MS = 30.0
MAX_JUMP = 0.08  # of ln F0 within 5 ms


def import_pyworld() -> ModuleType:
    """Import pyworld without the deprecation warning of its pkg_resources.

    Warning filters belong to the process: only the first call changes them, for threads' sake.
    """
    if "pyworld" in sys.modules:
        return sys.modules["pyworld"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyworld
    return pyworld


def track_f0(
    signal: NDArray[np.float64], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return F0 in Hz and times in s every 5 ms.

    DIO (Morise et al., 2009) and StoneMask also find a pitch in noise: frames that D4C's love train
    calls unvoiced, and runs too short or too jumpy for a voice, are dropped.
    """
    pyworld = import_pyworld()
    coarse, times = pyworld.dio(
        signal, sample_rate, f0_floor=F0_MIN_HZ, f0_ceil=F0_MAX_HZ, frame_period=ANALYSIS_MS
    )
    f0_hz = pyworld.stonemask(signal, coarse, times, sample_rate)
    low_share = love_train(signal, f0_hz, times, sample_rate)
    return drop_short_runs(np.where(low_share > VOICED_LOW_SHARE, f0_hz, 0.0)), times


def love_train(
    signal: NDArray[np.float64],
    f0_hz: NDArray[np.float64],
    times: NDArray[np.float64],
    sample_rate: int,
) -> NDArray[np.float64]:
    """Return, for each frame with an F0, the share of its power that lies low; 0 elsewhere.

    Power in 100-4000 Hz over power in 100-7900 Hz, in a Blackman window of three periods: the
    voicing measure of D4C (Morise, 2016), which falls in fricatives and breath.
    """
    share = np.zeros(len(f0_hz))
    (candidates,) = np.nonzero(f0_hz)
    n_fft = 2 ** int(np.ceil(np.log2(3 * sample_rate / F0_MIN_HZ + 1)))
    edges = np.ceil(np.array([100.0, 4000.0, 7900.0]) * n_fft / sample_rate).astype(int)
    edges = np.minimum(edges, n_fft // 2)
    reach = int(1.5 * sample_rate / F0_MIN_HZ)
    padded = np.pad(signal, reach)
    offsets = np.arange(-reach, reach + 1)
    for start in range(0, len(candidates), 512):  # bounds the memory
        frames = candidates[start : start + 512]
        centres = np.rint(times[frames] * sample_rate).astype(int).clip(0, len(signal) - 1)
        position = offsets / sample_rate * f0_hz[frames, None] / 1.5  # -1 to 1 in the window
        window = 0.42 + 0.5 * np.cos(np.pi * position) + 0.08 * np.cos(2 * np.pi * position)
        window = np.where(np.abs(position) <= 1, window, 0.0)
        pieces = padded[centres[:, None] + offsets + reach] * window
        pieces -= window * (pieces.sum(1) / window.sum(1))[:, None]
        power = np.abs(np.fft.rfft(pieces, n_fft)) ** 2
        low = power[:, edges[0] : edges[1]].sum(1)
        high = power[:, edges[1] : edges[2]].sum(1)
        share[frames] = low / np.maximum(low + high, 1e-300)
    return share


def drop_short_runs(f0_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unvoice runs of voiced frames that last under 30 ms between pauses and jumps of 8 %."""
    voiced = f0_hz > 0
    log_f0 = np.log(np.where(voiced, f0_hz, 1.0))
    is_start = voiced.copy()
    is_start[1:] &= ~voiced[:-1] | (np.abs(np.diff(log_f0)) > MAX_JUMP)
    run = np.cumsum(is_start) * voiced  # 0 where unvoiced, else the number of the run
    lengths = np.bincount(run)
    return np.where(lengths[run] * ANALYSIS_MS >= MIN_RUN_MS, f0_hz, 0.0)


def extract_f0(waveform: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float32]:
    """Return F0 in Hz of `waveform` (T,) at the centres of its mel frames, (T // hop_length,).

    The 5 ms track is interpolated in the log domain; a frame is voiced where the nearest analysis
    frame is.
    """
    f0_hz, times = track_f0(waveform.astype(np.float64), spec.sample_rate)
    n_frames = len(waveform) // spec.hop_length
    centres = (np.arange(n_frames) + 0.5) * spec.hop_length / spec.sample_rate
    return interpolate_f0(f0_hz, times, centres)


def interpolate_f0(
    f0_hz: NDArray[np.float64], times: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate an F0 track in the log domain, keeping the voicing of the nearest frame."""
    voiced = f0_hz > 0
    if not voiced.any():
        return np.zeros(len(at), np.float32)
    log_f0 = np.interp(at, times[voiced], np.log(f0_hz[voiced]))
    nearest = np.clip(np.rint(at / (times[1] - times[0])).astype(int), 0, len(f0_hz) - 1)
    return np.where(voiced[nearest], np.exp(log_f0), 0.0).astype(np.float32)


def transform_f0(
    f0_hz: NDArray[np.float32], source: DomainStats, target: DomainStats, shift_semitones: float = 0
) -> NDArray[np.float32]:
    """Map source F0 to the target's range by the log-Gaussian transform, voicing unchanged.

    `ln f' = (ln f - mean_s) * std_t / std_s + mean_t + shift`, with the ratio of the deviations
    kept within 1/2 to 2 and the result within the range that the excitation covers.
    """
    ratio = np.clip(target.log_f0_std / source.log_f0_std, 1 / MAX_STD_RATIO, MAX_STD_RATIO)
    voiced = f0_hz > 0
    log_f0 = np.log(np.where(voiced, f0_hz, 1.0))
    moved = (log_f0 - source.log_f0_mean) * ratio + target.log_f0_mean
    moved += shift_semitones * np.log(2) / 12
    return limit_f0(np.where(voiced, np.exp(moved), 0.0))


def limit_f0(f0_hz: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep voiced F0 within the range that the excitation covers; unvoiced frames stay 0."""
    return np.where(f0_hz > 0, np.clip(f0_hz, F0_MIN_HZ, F0_MAX_HZ), 0.0).astype(np.float32)
