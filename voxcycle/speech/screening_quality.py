"""Which clips are unusable by themselves: too short, clipped, noisy, without a voice.

Clipping is measured per channel, before mixing and resampling hide it. In speech, larger magnitudes
are rarer. In a clipped recording they pile up at the limit, also after a codec has spread them
around it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
CLIPPED_RANGE = 0.999  # of the largest magnitude
MIN_CLIPPED_PEAK = 0.01  # softer recordings count as unclipped
MIN_CLIPPED_STEPS = 32  # of the samples' own grid: below, the steps of 8 bits look like clipping
N_LIMITS = 60  # candidates for the limit, between the loudest fifth of the samples and the peak


@dataclass(frozen=True)
class ClipQuality:
    """Measures of a clip.

    Attributes:
        duration_s: its length.
        level_db: active loudness, dBFS.
        range_db: level of its loud frames above its softest ones; close to the signal-to-noise
            ratio where the clip has a pause.
        clipped_share: of the recorded samples, see `clipped_share`.
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
        bandwidth_hz=_bandwidth_hz(waveform, spec.sample_rate),
        voiced_share=len(voiced) / max(len(f0_hz), 1),
        f0_hz=(float(low), float(middle), float(high)),
    )


def _bandwidth_hz(waveform: NDArray[np.float32], sample_rate: int) -> float:
    """Return the highest frequency within 65 dB of the strongest, in the mean power spectrum."""
    power = mean_power_spectrum(waveform)
    present = power >= power.max() * 10 ** (-BANDWIDTH_RANGE_DB / 10)
    return float(np.flatnonzero(present)[-1] * sample_rate / N_FFT)


def mean_power_spectrum(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of the power spectra of Hann windows that overlap by half.

    Welch's method (1967): (T,) to (N_FFT // 2 + 1,), where a sine of amplitude A has A^2 / 2. At
    least `N_FFT` samples are needed.
    """
    window = np.hanning(N_FFT + 1)[:-1]
    frames = sliding_window_view(waveform, N_FFT)[:: N_FFT // 2]
    power = np.square(np.abs(np.fft.rfft(frames * window))).mean(0) / window.sum() ** 2
    power[1:-1] *= 2  # the negative frequencies, too
    return power


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Return the share of clipped samples (T, C) in the channel with most of them.

    The larger of two counts: samples at the very peak, and the excess of a band around a limit over
    the band below it, which is always fuller in speech.
    """
    return max((_channel_share(channel) for channel in samples.T), default=0.0)


def _channel_share(samples: NDArray[np.float32]) -> float:
    ordered = np.sort(np.abs(samples))
    if not len(ordered) or ordered[-1] < MIN_CLIPPED_PEAK:
        return 0.0

    def share_below(levels: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.searchsorted(ordered, levels) / len(ordered)

    peak = float(ordered[-1])
    at_peak = 1 - float(share_below(np.array([CLIPPED_RANGE * peak]))[0])
    step = float(np.diff(np.unique(samples)).min(initial=1.0))
    lowest = max(float(np.percentile(ordered, 80)), MIN_CLIPPED_PEAK, MIN_CLIPPED_STEPS * step)
    if lowest > peak:
        return at_peak
    limits = np.geomspace(lowest, peak, N_LIMITS)
    at_limit = share_below(1.1 * limits) - share_below(0.9 * limits)
    below = share_below(0.9 * limits) - share_below(0.7 * limits)
    return max(at_peak, float((at_limit - below).max()))


def clipped_shares(
    blocks: Iterable[NDArray[np.float32]], spans: Sequence[tuple[int, int]]
) -> Iterator[float]:
    """Yield `clipped_share` of spans of samples, in order and disjoint, of blocks (T, C)."""
    waiting = iter(spans)
    span, position, parts = next(waiting, None), 0, []
    for block in blocks:
        while span is not None and span[0] < position + len(block):
            parts.append(block[max(span[0] - position, 0) : span[1] - position])
            if span[1] > position + len(block):
                break
            yield clipped_share(np.concatenate(parts))
            span, parts = next(waiting, None), []
        position += len(block)
    if span is not None:  # the last one may end a little after the blocks
        yield clipped_share(np.concatenate(parts))
