"""Which frames of a recording are speech: what sounds near a voiced frame and is loud enough.

It needs only the F0 that conversion needs anyway, so its noise robustness is the tracker's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.f0 import extract_f0_of_blocks
from voxcycle.audio.level import ANALYSIS_LEVEL_DB, frame_power, remove_rumble, to_db
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.moving import keep_long_runs, moving_sum

REACH_S = 0.25  # speech without voice lasts no longer: consonants, short pauses within a sentence
RANGE_DB = 30.0  # below the voiced frames nearby
NEARBY_S = 1.0
STEADY_S = 0.1  # a voice holds its pitch this long; a tracker's error in a whisper does not
MIN_STEADY_SHARE = 0.01  # of the loud frames of a recording; less is a whisper
WHISPER_RANGE_DB = 40.0  # below the loud frames of a recording without voice
WINSOR_PERCENTILE = 98  # of the speech frames: louder ones are claps and bumps


def find_speech(
    level_db: NDArray[np.float64], f0_hz: NDArray[np.float32], frame_rate: float
) -> NDArray[np.bool_]:
    """Mark the frames that are speech, (F,).

    A recording counts as whispered if steady voice has less than a hundredth of the length of its
    loud frames, those within 40 dB of the loudest percent: then all loud frames are speech.

    Args:
        level_db: level of each frame without rumble, up to a constant, (F,).
        f0_hz: (F,), 0 where unvoiced.
        frame_rate: frames per second.
    """
    voiced = f0_hz > 0
    loud = level_db > np.percentile(level_db, 99) - WHISPER_RANGE_DB
    steady = keep_long_runs(voiced, round(STEADY_S * frame_rate))
    if steady.sum() <= MIN_STEADY_SHARE * loud.sum():
        return loud
    nearby = round(NEARBY_S * frame_rate)
    count = moving_sum(voiced.astype(np.float64), nearby)
    mean_db = moving_sum(np.where(voiced, level_db, 0.0), nearby) / np.maximum(count, 1.0)
    near_voice = moving_sum(voiced.astype(np.float64), round(REACH_S * frame_rate)) > 0.5
    return near_voice & (level_db >= mean_db - RANGE_DB)


def speech_level_db(power: NDArray[np.float64], speech: NDArray[np.bool_]) -> float:
    """Return the level of the speech frames in dBFS; events louder than its peaks are held down.

    Args:
        power: mean power of each frame, (F,).
        speech: of `find_speech`, (F,).
    """
    own = power[speech] if speech.any() else power
    return float(to_db(np.minimum(own, np.percentile(own, WINSOR_PERCENTILE)).mean()))


class Activity(NamedTuple):
    """Where a recording is speech: F0 (F,) in Hz, speech frames (F,), their level in dBFS."""

    f0_hz: NDArray[np.float32]
    speech: NDArray[np.bool_]
    level_db: float

    def level(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring the recording (T,) to the analysis level."""
        return waveform * np.float32(10 ** ((ANALYSIS_LEVEL_DB - self.level_db) / 20))


def find_activity(waveform: NDArray[np.float32], spec: MelSpec) -> Activity:
    """Find the speech of a recording (T,) as conversion does, F = T // hop_length frames."""
    (steady,) = remove_rumble([waveform], spec.sample_rate)
    power = frame_power(steady, spec.hop_length)
    f0_hz = extract_f0_of_blocks([steady], power, spec)
    speech = find_speech(to_db(power), f0_hz, spec.frame_rate)
    n_frames = len(waveform) // spec.hop_length
    return Activity(f0_hz[:n_frames], speech[:n_frames], speech_level_db(power, speech))
