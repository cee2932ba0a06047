"""Fundamental frequency on mel frame centres by SwiftF0, and its log-Gaussian transform.

F0 is in Hz with 0 where the frame is unvoiced.
"""

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.level import frame_power, remove_rumble, to_db
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.moving import moving_max, moving_mean
from voxcycle.audio.resample import resample_blocks, resampled_length
from voxcycle.audio.stats import DomainStats

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

TRACKER, FORMER_TRACKER = "swift-f0", "dio"  # as files name what their statistics came from
F0_MIN_HZ = 60.0
F0_MAX_HZ = 700.0
TRACKED_MAX_HZ = 1100.0  # above F0_MAX_HZ it is noticed; below F0_MIN_HZ there is hum
MAX_STD_RATIO = 2.0
TRACKER_RATE = 16_000
# SwiftF0's own 0.5 misses the ends of voiced stretches.
MIN_CONFIDENCE = 0.4
TRACKING_LEVEL_DB = -20.0
MAX_BOOST_DB = 30.0
SMOOTH_S, NEARBY_S = 0.15, 1.0  # to either side
SUNG_SEMITONES = 16.0  # from the 5th to the 95th percentile
NOTE_S, NOTE_SEMITONES = 0.25, 1.5  # a note lasts so long, and its vibrato is no wider
HELD_SHARE = 0.4  # of the voiced frames; lively speech has less
PIECE_SAMPLES = 2 * TRACKER_RATE  # tracked at a time: bounds the memory


@functools.cache
def load_tracker() -> "SwiftF0":
    """Return the tracker; one thread, so that results do not depend on the machine's cores."""
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)


def extract_f0(waveform: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float32]:
    """Return F0 in Hz of `waveform` (T,) at the centres of its mel frames, (T // hop_length,)."""
    (steady,) = remove_rumble([waveform], spec.sample_rate)
    power = frame_power(steady, spec.hop_length)
    return extract_f0_of_blocks([steady], power, spec)[: len(waveform) // spec.hop_length]


def extract_f0_of_blocks(
    blocks: Iterable[NDArray[np.float32]], power: NDArray[np.float64], spec: MelSpec
) -> NDArray[np.float32]:
    """Return `extract_f0` of consecutive blocks in bounded memory.

    Pitch and confidence of SwiftF0 (Nieradzik, 2025) come every 16 ms. Confidence is interpolated
    to the mel frames' centres, and pitch in the log domain between voiced frames.

    Args:
        blocks: the waveform without rumble, of any lengths.
        power: mean power of its hops, the last one perhaps in part, (ceil(T / hop_length),).
        spec: the mel analysis.
    """
    n_samples = len(power) * spec.hop_length
    n_resampled = resampled_length(n_samples, spec.sample_rate, TRACKER_RATE)
    level = _even_level(blocks, tracking_gain_db(power, spec.frame_rate), spec.hop_length)
    stream = load_tracker().stream(F0_MIN_HZ, TRACKED_MAX_HZ)
    pieces = _cut(resample_blocks(level, spec.sample_rate, TRACKER_RATE, n_resampled))
    results = [stream.push(piece, TRACKER_RATE) for piece in pieces] + [stream.flush()]
    times = np.concatenate([result.timestamps for result in results])
    confidence = np.concatenate([result.confidence for result in results])
    voiced = confidence >= MIN_CONFIDENCE
    if not voiced.any():
        return np.zeros(len(power), np.float32)
    log_f0 = np.log(np.concatenate([result.pitch_hz for result in results])[voiced])
    centres = (np.arange(len(power)) + 0.5) * spec.hop_length / spec.sample_rate
    is_voiced = np.interp(centres, times, confidence) >= MIN_CONFIDENCE
    f0_hz = np.exp(np.interp(centres, times[voiced], log_f0))
    return np.where(is_voiced, f0_hz, 0.0).astype(np.float32)


def tracking_gain_db(power: NDArray[np.float64], frame_rate: float) -> NDArray[np.float64]:
    """Return the gain that gives every stretch of some seconds the level of loud speech, (F,).

    SwiftF0 finds fewer voiced frames in soft speech. Soft stretches are raised by at most 30 dB
    relative to the loudest.
    """
    smooth = moving_mean(power, round(SMOOTH_S * frame_rate))
    loud_db = to_db(moving_max(smooth, *[round(NEARBY_S * frame_rate)] * 2))
    loud_db = np.maximum(loud_db, loud_db.max() - MAX_BOOST_DB)
    return TRACKING_LEVEL_DB - moving_mean(loud_db, round(NEARBY_S * frame_rate))


def _even_level(
    blocks: Iterable[NDArray[np.float32]], gain_db: NDArray[np.float64], hop: int
) -> Iterable[NDArray[np.float32]]:
    """Apply a gain per hop, interpolated between their centres."""
    centres = (np.arange(len(gain_db)) + 0.5) * hop
    start = 0
    for block in blocks:
        gain = 10 ** (np.interp(np.arange(start, start + len(block)), centres, gain_db) / 20)
        yield (block * gain).astype(np.float32)
        start += len(block)


def _cut(blocks: Iterable[NDArray[np.float32]]) -> Iterable[NDArray[np.float32]]:
    """Yield pieces of one length, however the blocks come: the same bits for any blocks."""
    rest = np.zeros(0, np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        while len(rest) >= PIECE_SAMPLES:
            yield rest[:PIECE_SAMPLES]
            rest = rest[PIECE_SAMPLES:]
    if len(rest):
        yield rest


def transform_f0(
    f0_hz: NDArray[np.float32],
    source: DomainStats,
    target: DomainStats,
    shift_semitones: float = 0.0,
    keeps_intervals: bool = False,
) -> NDArray[np.float32]:
    """Map source F0 to the target's range by the log-Gaussian transform, voicing unchanged.

    `ln f' = (ln f - mean_s) * std_t / std_s + mean_t + shift`, with the ratio of the deviations
    kept within 1/2 to 2, or at 1 where a melody must stay one, and the result within the range that
    the excitation covers.
    """
    ratio = np.clip(target.log_f0_std / source.log_f0_std, 1 / MAX_STD_RATIO, MAX_STD_RATIO)
    voiced = f0_hz > 0
    log_f0 = np.log(np.where(voiced, f0_hz, 1.0))
    moved = (log_f0 - source.log_f0_mean) * (1.0 if keeps_intervals else ratio)
    moved += target.log_f0_mean + shift_semitones * np.log(2) / 12
    return limit_f0(np.where(voiced, np.exp(moved), 0.0))


def is_sung(f0_hz: NDArray[np.float32], frame_rate: float) -> bool:
    """Return whether F0 (F,) spans more than lively speech does, and holds its notes."""
    voiced = f0_hz > 0
    if not voiced.any():
        return False
    semitones = 12 * np.log2(np.where(voiced, f0_hz, 1.0))
    low, high = np.percentile(semitones[voiced], [5, 95])
    length = round(NOTE_S * frame_rate)
    before, after = length // 2, length - 1 - length // 2
    highest = moving_max(np.where(voiced, semitones, np.inf), before, after)
    lowest = -moving_max(-semitones, before, after)
    is_middle = highest - lowest <= NOTE_SEMITONES
    is_held = moving_max(is_middle, after, before) & voiced
    return bool(high - low > SUNG_SEMITONES and is_held.sum() > HELD_SHARE * voiced.sum())


def limit_f0(f0_hz: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep voiced F0 within the range that the excitation covers; unvoiced frames stay 0."""
    return np.where(f0_hz > 0, np.clip(f0_hz, F0_MIN_HZ, F0_MAX_HZ), 0.0).astype(np.float32)
