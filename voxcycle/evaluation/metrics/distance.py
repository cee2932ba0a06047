"""Distance to a recording of the target: mel-cepstra along a DTW path, and modulation spectra.

Definitions, since published figures differ by them. Spectra are WORLD's (CheapTrick, 5 ms frames)
at 16 kHz, so that recordings of any common rate can be compared, floored 70 dB below the loudest
bin of the file; mel-cepstra of order 24 by frequency warping (all-pass constant 0.42); frames more
than 40 dB below the 95th percentile of the frame power are silence and omitted; c0 is not used.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.resample import resample
from voxcycle.audio.world import ANALYSIS_MS, import_pyworld, track_f0
from voxcycle.evaluation.optional_deps import import_metric

ANALYSIS_RATE = 16_000
ORDER = 24
WARPING = 0.42  # the all-pass constant that brings 16 kHz near the mel scale
FLOOR = 1e-7  # of the largest power; nothing below is speech
ACTIVE_RANGE_DB = 40.0
MODULATION_FRAMES = 64  # 0.32 s
MIN_FRAMES = MODULATION_FRAMES
MAX_ALIGNED_FRAMES = 12_000  # a minute: DTW takes 20 bytes times the square of it, 3 GB


class Cepstra(NamedTuple):
    """Active frames of a recording: mel-cepstra (F, 25), c0 first, and F0 in Hz (F,)."""

    frames: NDArray[np.float64]
    f0_hz: NDArray[np.float64]


class Alignment(NamedTuple):
    """Two recordings along a DTW path.

    Attributes:
        mcd_db: mel-cepstral distortion.
        f0_rmse_semitones: over frame pairs that are voiced in both; NaN without any.
        f0_correlation: Pearson's, of ln F0 over the same pairs; NaN where undefined.
    """

    mcd_db: float
    f0_rmse_semitones: float
    f0_correlation: float


def extract_cepstra(waveform: NDArray[np.float32], sample_rate: int) -> Cepstra:
    """Analyse speech (T,); ValueError where less than 0.32 s of it is active."""
    pyworld = import_pyworld()
    signal = resample(waveform, sample_rate, ANALYSIS_RATE).astype(np.float64)
    f0_hz, times = track_f0(signal, ANALYSIS_RATE)
    power = pyworld.cheaptrick(signal, f0_hz, times, ANALYSIS_RATE)  # (F, n_bins)
    power = np.maximum(power, FLOOR * power.max())
    level_db = 10 * np.log10(power.mean(1))
    active = level_db >= np.percentile(level_db, 95) - ACTIVE_RANGE_DB
    if not np.any(waveform) or active.sum() < MIN_FRAMES:
        raise ValueError(f"less than {MIN_FRAMES * ANALYSIS_MS / 1000:.2f} s of speech to compare")
    return Cepstra(mel_cepstra(power[active]), f0_hz[active])


def mel_cepstra(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mel-cepstra (F, 25) of power spectra (F, n_bins) from 0 to 8 kHz.

    Coefficients c_m of `ln |H(w)| = sum c_m cos(m w~)`, with w~ the phase of the all-pass at w
    (Imai, 1983).
    """
    return import_metric("pysptk").sp2mc(power, ORDER, WARPING)


def align(x: Cepstra, y: Cepstra) -> Alignment:
    """Compare two recordings of the same sentence.

    Dynamic time warping on c1 to c24 (Euclidean, steps of one frame in either or both), then the
    mean over the path of `10 / ln 10 * sqrt(2 * sum (c_x - c_y)^2)` dB (Kubichek, 1993).
    """
    import librosa

    left, right = x.frames[:, 1:], y.frames[:, 1:]
    if max(len(left), len(right)) > MAX_ALIGNED_FRAMES:
        raise ValueError("more than a minute of speech cannot be aligned: cut it into sentences")
    _, path = librosa.sequence.dtw(left.T, right.T)
    i, j = path.T
    distances = np.linalg.norm(left[i] - right[j], axis=1)
    f0_x, f0_y = x.f0_hz[i], y.f0_hz[j]
    voiced = (f0_x > 0) & (f0_y > 0)
    rmse = correlation = float("nan")
    if voiced.sum() > 1:
        log_x, log_y = np.log(f0_x[voiced]), np.log(f0_y[voiced])
        rmse = float(12 / np.log(2) * np.sqrt(np.mean((log_x - log_y) ** 2)))
        if log_x.std() > 0 and log_y.std() > 0:
            correlation = float(np.corrcoef(log_x, log_y)[0, 1])
    return Alignment(float(10 / np.log(10) * np.sqrt(2) * distances.mean()), rmse, correlation)


def modulation_spectrum(cepstra: Cepstra) -> NDArray[np.float64]:
    """Return the power of each mel-cepstral trajectory by modulation frequency, (24, 33) in dB.

    Takamichi et al. (2016): the spectrum of c1 to c24 over time, which over-smoothed speech lacks
    at its high end. Mean power over Hann windows of 64 frames (0.32 s), half of it overlapping.
    """
    trajectories = cepstra.frames[:, 1:]
    starts = range(0, len(trajectories) - MODULATION_FRAMES + 1, MODULATION_FRAMES // 2)
    windows = np.stack([trajectories[s : s + MODULATION_FRAMES] for s in starts])  # (n, 64, 24)
    windows = (windows - windows.mean(1, keepdims=True)) * np.hanning(MODULATION_FRAMES)[:, None]
    power = (np.abs(np.fft.rfft(windows, axis=1)) ** 2).mean(0)  # (33, 24)
    return 10 * np.log10(np.maximum(power.T, 1e-12))


def modulation_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the RMS difference in dB of two modulation spectra (24, 33), without their DC."""
    return float(np.sqrt(np.mean((x[:, 1:] - y[:, 1:]) ** 2)))
