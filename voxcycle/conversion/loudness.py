"""Loudness of the output: quiet pauses, the input's active level, no clipping."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.level import ACTIVE_RANGE_DB, active_power
from voxcycle.audio.resample import resample_blocks
from voxcycle.conversion.analysis import PowerMeter
from voxcycle.conversion.frames import SpooledFrames

PEAK_LIMIT_DB = -0.1
PAUSE_FLOOR_DB = -60.0
PAUSE_EXCESS_DB = 3.0
# Pauses are held this much below the limit: the final gain comes from another measurement than the
# attenuation.
PAUSE_MARGIN_DB = 1.5
KNEE_DB = 5.0  # above the pause threshold, where the attenuation fades out
KNEE_SLOPE = 4.0  # dB of additional room for each dB of level within the knee
BLOCK_SAMPLES = 1 << 17


@dataclass(frozen=True)
class Rendered:
    """A vocoder's output, ready to be brought to an active loudness of `level_db` (dBFS).

    `pause_gain_db` (F,) is the attenuation of each frame of `hop_length` samples.
    """

    waveform: SpooledFrames
    sample_rate: int
    hop_length: int
    pause_gain_db: NDArray[np.float64]
    level_db: float

    def blocks(self, sample_rate: int, n_samples: int) -> Iterator[NDArray[np.float32]]:
        """Yield the waveform with quiet pauses at another rate, `n_samples` in all, ungained."""
        return resample_blocks(self._attenuated(), self.sample_rate, sample_rate, n_samples)

    def _attenuated(self) -> Iterator[NDArray[np.float32]]:
        centres = (np.arange(len(self.pause_gain_db)) + 0.5) * self.hop_length
        for start in range(0, len(self.waveform), BLOCK_SAMPLES):
            stop = min(start + BLOCK_SAMPLES, len(self.waveform))
            gain_db = np.interp(np.arange(start, stop), centres, self.pause_gain_db)
            gain = (10 ** (gain_db / 20)).astype(np.float32)
            yield self.waveform.read(start, stop)[:, 0] * gain


def find_pause_gain_db(
    input_power: NDArray[np.float64], output_power: NDArray[np.float64], level_db: float
) -> NDArray[np.float64]:
    """Return the attenuation that keeps pauses as quiet as the input's, per frame, in dB (F,).

    Where the input is more than 40 dB below the 95th percentile of its level, the output stays
    below the larger of the input's level + 3 dB and -60 dBFS, once its active loudness is
    `level_db` (dBFS). Powers are mean powers of frames (F,).
    """
    input_db, output_db = _to_db(input_power), _to_db(output_power)
    above_threshold = input_db - (np.percentile(input_db, 95) - ACTIVE_RANGE_DB)
    room = np.maximum(input_db + PAUSE_EXCESS_DB, PAUSE_FLOOR_DB) - PAUSE_MARGIN_DB
    # The limit fades out above the threshold: a longer frame may span both sides of it, and an
    # onset must not get a step.
    limit = room + KNEE_SLOPE * np.maximum(above_threshold, 0.0)
    limit = np.where(above_threshold < KNEE_DB, limit, np.inf)
    attenuation = np.zeros(len(output_db))
    for _ in range(4):  # attenuation changes the active level a little, and the gain depends on it
        gain_db = level_db - _to_db(active_power(output_power * 10 ** (attenuation / 10)))
        attenuation = np.minimum(limit - (output_db + gain_db), 0.0)
    return attenuation


def match_level(
    rendered: Rendered, sample_rate: int, n_samples: int
) -> tuple[np.float32, list[str]]:
    """Return the gain to the output's level, at most to a peak of -0.1 dBFS, and notes."""
    meter, peak = PowerMeter.for_level(sample_rate), 1e-10
    for block in rendered.blocks(sample_rate, n_samples):
        meter.push(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    wanted_db = rendered.level_db - meter.active_level_db()
    allowed_db = PEAK_LIMIT_DB - 20 * np.log10(peak)
    notes = []
    if wanted_db - allowed_db > 0.05:
        notes.append(
            f"the output is {wanted_db - allowed_db:.1f} dB quieter than the input, because its "
            f"peaks would pass {PEAK_LIMIT_DB} dBFS"
        )
    return np.float32(10 ** (min(wanted_db, allowed_db) / 20)), notes


def _to_db(power: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))
