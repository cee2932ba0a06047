"""Loudness of the output: the input's dynamics, quiet pauses, no clipping."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.level import to_db
from voxcycle.audio.moving import moving_mean, moving_median, moving_sum
from voxcycle.audio.resample import resample_blocks
from voxcycle.conversion.frames import SpooledFrames

PEAK_LIMIT_DB = -0.1
FOLLOW_S = 0.2  # to either side: the level follows the input's over this span
CLAP_S, CLAP_DB = 0.06, 6.0  # a frame this much above the median around it is no speech
MAX_BOOST_DB = 15.0  # above the median gain
FAR_S = 1.0  # to either side: what counts as the level of the speech around a pause
PAUSE_FLOOR_DB = -60.0
PAUSE_EXCESS_DB = 3.0
PAUSE_DEPTH_DB = 20.0  # between the speech and what is not speech, at the least
PAUSE_MARGIN_DB = 1.5  # pauses are held this much below the limit
QUIET_DB = 40.0  # below the speech around: such frames within speech are pauses too
KNEE_DB = 5.0  # above the pause threshold, where the attenuation fades out
KNEE_SLOPE = 4.0  # dB of additional room for each dB of level within the knee
BLOCK_SAMPLES = 1 << 17


@dataclass(frozen=True)
class Rendered:
    """A vocoder's output, ready to be levelled.

    Attributes:
        waveform: samples at `sample_rate`, one column.
        sample_rate: in Hz.
        hop_length: samples per frame.
        gain_db: of each frame, (F,).
        background: what is added, at the same rate and of the same length; None for nothing.
        background_gain_db: of each frame of it, (F,).
    """

    waveform: SpooledFrames
    sample_rate: int
    hop_length: int
    gain_db: NDArray[np.float64]
    background: SpooledFrames | None = None
    background_gain_db: NDArray[np.float64] | None = None

    def blocks(self, sample_rate: int, n_samples: int) -> Iterator[NDArray[np.float32]]:
        """Yield the sum at another rate, `n_samples` in all."""
        return resample_blocks(self._mixed(), self.sample_rate, sample_rate, n_samples)

    def _mixed(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self.waveform), BLOCK_SAMPLES):
            stop = min(start + BLOCK_SAMPLES, len(self.waveform))
            mixed = self._gained(self.waveform, self.gain_db, start, stop)
            if self.background is not None and self.background_gain_db is not None:
                mixed += self._gained(self.background, self.background_gain_db, start, stop)
            yield mixed

    def _gained(
        self, waveform: SpooledFrames, gain_db: NDArray[np.float64], start: int, stop: int
    ) -> NDArray[np.float32]:
        centres = (np.arange(len(gain_db)) + 0.5) * self.hop_length
        gain = 10 ** (np.interp(np.arange(start, stop), centres, gain_db) / 20)
        return waveform.read(start, stop)[:, 0] * gain.astype(np.float32)


def follow_level(
    input_power: NDArray[np.float64],
    output_power: NDArray[np.float64],
    speech: NDArray[np.bool_],
    frame_rate: float,
) -> NDArray[np.float64]:
    """Return the gain that gives the output the level of the input's speech, per frame, in dB (F,).

    Levels are compared over 0.4 s. Where no speech is that near, the gain goes linearly from that
    of the speech before to that of the speech after.

    Args:
        input_power: mean power of the input's frames at its own level, (F,).
        output_power: the same of the vocoder's output, (F,).
        speech: which frames are speech, (F,).
        frame_rate: frames per second.
    """
    usual = moving_median(input_power, round(CLAP_S * frame_rate))
    calm = np.minimum(input_power, usual * 10 ** (CLAP_DB / 10))
    reach = round(FOLLOW_S * frame_rate)
    near = moving_sum(speech.astype(np.float64), reach) > 0.5
    if not near.any():
        return np.zeros(len(speech))
    wanted = to_db(moving_mean(moving_sum(calm * speech, reach), reach // 2))
    given = to_db(moving_mean(moving_sum(output_power * speech, reach), reach // 2))
    (frames,) = np.nonzero(near)
    gain_db = (wanted - given)[near]
    usual_db = np.median(gain_db)
    gain_db = np.minimum(gain_db, usual_db + MAX_BOOST_DB)  # where a vocoder gave nothing
    return np.interp(np.arange(len(speech)), frames, gain_db)


def speech_level_nearby_db(
    power: NDArray[np.float64], speech: NDArray[np.bool_], frame_rate: float
) -> NDArray[np.float64]:
    """Return the mean level of the speech within a second, between stretches of it, in dB (F,)."""
    reach = round(FAR_S * frame_rate)
    count = moving_sum(speech.astype(np.float64), reach)
    near = count > 0.5
    if not near.any():
        return np.full(len(power), to_db(power.mean()))
    level_db = to_db(moving_sum(power * speech, reach)[near] / count[near])
    return np.interp(np.arange(len(power)), np.flatnonzero(near), level_db)


def find_pause_gain_db(
    input_power: NDArray[np.float64],
    output_power: NDArray[np.float64],
    speech: NDArray[np.bool_],
    frame_rate: float,
) -> NDArray[np.float64]:
    """Return the attenuation that keeps pauses quiet, per frame, in dB (F,).

    What is not speech stays below the larger of the input's level + 3 dB and -60 dBFS, and 20 dB
    below the speech around it. Frames within speech that are more than 40 dB below it obey the
    first limit.

    Args:
        input_power: mean power of the input's frames at its own level, (F,).
        output_power: the same of the output, at the level of the input, (F,).
        speech: which frames are speech, (F,).
        frame_rate: frames per second.
    """
    input_db, output_db = to_db(input_power), to_db(output_power)
    around_db = speech_level_nearby_db(input_power, speech, frame_rate)
    room = np.maximum(input_db + PAUSE_EXCESS_DB, PAUSE_FLOOR_DB) - PAUSE_MARGIN_DB
    # The limit fades out above the threshold: a longer frame may span both sides of it, and an
    # onset must not get a step.
    above_threshold = input_db - (around_db - QUIET_DB)
    limit = room + KNEE_SLOPE * np.maximum(above_threshold, 0.0)
    limit = np.where(above_threshold < KNEE_DB, limit, np.inf)
    deep = np.minimum(room, around_db - PAUSE_DEPTH_DB - PAUSE_MARGIN_DB)
    limit = np.where(speech, limit, np.minimum(limit, deep))
    return np.minimum(limit - output_db, 0.0)


def limit_peak(
    rendered: Rendered, sample_rate: int, n_samples: int
) -> tuple[np.float32, list[str]]:
    """Return the gain that keeps the output's peak below -0.1 dBFS, at most 1, and notes."""
    peak = 1e-10
    for block in rendered.blocks(sample_rate, n_samples):
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    excess_db = float(20 * np.log10(peak)) - PEAK_LIMIT_DB
    notes = []
    if excess_db > 0.05:
        notes.append(
            f"the output is {excess_db:.1f} dB quieter than the input, because its "
            f"peaks would pass {PEAK_LIMIT_DB} dBFS"
        )
    return np.float32(10 ** (-max(excess_db, 0.0) / 20)), notes
