"""Fundamental frequency: WORLD's DIO + StoneMask on mel frame centres, log-Gaussian transform.

F0 is in Hz with 0 where the frame is unvoiced.
"""

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


def import_pyworld() -> ModuleType:
    """Import pyworld without the deprecation warning of its pkg_resources."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyworld
    return pyworld


def track_f0(
    signal: NDArray[np.float64], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return F0 in Hz and times in s every 5 ms: DIO (Morise et al., 2009) and StoneMask."""
    pyworld = import_pyworld()
    coarse, times = pyworld.dio(
        signal, sample_rate, f0_floor=F0_MIN_HZ, f0_ceil=F0_MAX_HZ, frame_period=ANALYSIS_MS
    )
    return pyworld.stonemask(signal, coarse, times, sample_rate), times


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
    f0_hz: NDArray[np.float32],
    source: DomainStats,
    target: DomainStats,
    shift_semitones: float = 0.0,
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
    limited = np.clip(np.exp(moved), F0_MIN_HZ, F0_MAX_HZ)
    return np.where(voiced, limited, 0.0).astype(np.float32)


def shift_f0(f0_hz: NDArray[np.float32], shift_semitones: float) -> NDArray[np.float32]:
    """Move an F0 contour by a number of semitones, within the range of the excitation."""
    moved = np.clip(f0_hz * 2.0 ** (shift_semitones / 12), F0_MIN_HZ, F0_MAX_HZ)
    return np.where(f0_hz > 0, moved, 0.0).astype(np.float32)
