"""Quality of a clip as training material."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.level import active_level_db
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.segment import dynamic_range_db, frame_levels_db

N_FFT = 1024
BANDWIDTH_RANGE_DB = 65.0  # below the strongest frequency
MIN_DURATION_S = 1.0
MIN_RANGE_DB = 15.0
MAX_CLIPPED_SHARE = 0.005
MIN_VOICED_SHARE = 0.15


@dataclass(frozen=True)
class ClipQuality:
    """Measures of a clip.

    Attributes:
        duration_s: its length.
        level_db: active loudness, dBFS.
        range_db: level of its loud frames above its softest ones; close to the signal-to-noise
            ratio where the clip has a pause.
        clipped_share: of the recorded samples; see `clipping.py`.
        bandwidth_hz: highest frequency within 65 dB of the strongest, in the mean power spectrum.
        voiced_share: of all frames.
        f0_hz: 5th, 50th and 95th percentile of F0; 0 where nothing is voiced.
    """

    duration_s: float
    level_db: float
    range_db: float
    clipped_share: float
    bandwidth_hz: float
    voiced_share: float
    f0_hz: tuple[float, float, float]

    def problem(self) -> str:
        """Return why the clip is unusable for training, or ""."""
        if self.duration_s < MIN_DURATION_S:
            return f"shorter than {MIN_DURATION_S:g} s"
        if self.clipped_share > MAX_CLIPPED_SHARE:
            return "clipped"
        if self.range_db < MIN_RANGE_DB:
            return f"noisy: less than {MIN_RANGE_DB:g} dB between loud and soft"
        if self.voiced_share < MIN_VOICED_SHARE:
            return "hardly any voice"
        return ""


def measure_quality(
    waveform: NDArray[np.float32], spec: MelSpec, clipped_share: float
) -> ClipQuality:
    """Measure a clip (T,) at the rate of `spec`, after its share of clipped samples."""
    f0_hz = extract_f0(waveform, spec)
    voiced = f0_hz[f0_hz > 0]
    low, middle, high = np.percentile(voiced, [5, 50, 95]) if len(voiced) else (0.0, 0.0, 0.0)
    return ClipQuality(
        duration_s=len(waveform) / spec.sample_rate,
        level_db=active_level_db(waveform, spec.sample_rate),
        range_db=dynamic_range_db(frame_levels_db(waveform, spec.sample_rate)),
        clipped_share=clipped_share,
        bandwidth_hz=bandwidth_hz(mean_spectrum(waveform), spec.sample_rate),
        voiced_share=len(voiced) / max(len(f0_hz), 1),
        f0_hz=(float(low), float(middle), float(high)),
    )


def mean_spectrum(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean power spectrum over windows of 1,024 samples, (513,)."""
    from scipy.signal import welch

    _, power = welch(waveform, window="hann", nperseg=N_FFT, scaling="spectrum", detrend=False)
    return np.asarray(power, np.float64)


def bandwidth_hz(power: NDArray[np.float64], sample_rate: int) -> float:
    """Return the highest frequency whose power is within 65 dB of the largest."""
    present = power >= power.max() * 10 ** (-BANDWIDTH_RANGE_DB / 10)
    return float(np.flatnonzero(present)[-1] * sample_rate / (2 * (len(power) - 1)))
