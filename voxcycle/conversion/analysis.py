"""The first pass over a recording: level, mels, F0 and statistics, in bounded memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.f0 import ANALYSIS_MS, extract_f0
from voxcycle.audio.io import AudioSource
from voxcycle.audio.level import (
    ACTIVE_RANGE_DB,
    ANALYSIS_LEVEL_DB,
    LEVEL_HOP_S,
    active_power,
    frame_power,
)
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import Mixdown
from voxcycle.audio.resample import resample_blocks, resampled_length
from voxcycle.audio.stats import FrameSums, add_sums, frame_level_db, sum_frames
from voxcycle.conversion.frames import SpooledFrames

PIECE_S = 60.0  # of F0 analysis: bounds its memory
PIECE_OVERLAP_S = 2.0  # DIO's decision on a frame depends on half a second around it
MEL_FRAMES = 2048  # analysed at a time


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time that a block takes to that of its stage."""
    started = perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - started


class PowerMeter:
    """`frame_power` of a waveform that comes in blocks."""

    def __init__(self, hop: int) -> None:
        self._hop = hop
        self._rest = np.zeros(0, np.float32)
        self._powers: list[NDArray[np.float64]] = []

    def push(self, block: NDArray[np.float32]) -> None:
        """Add the next samples (T,)."""
        samples = np.concatenate([self._rest, block])
        whole = len(samples) // self._hop * self._hop
        self._powers.append(frame_power(samples[:whole], self._hop))
        self._rest = samples[whole:]

    def power(self) -> NDArray[np.float64]:
        """Return the mean power of every frame of what was pushed."""
        return np.concatenate([*self._powers, frame_power(self._rest, self._hop)])

    @classmethod
    def for_level(cls, sample_rate: int) -> "PowerMeter":
        """Return a meter with the frames of `active_level_db`."""
        return cls(round(sample_rate * LEVEL_HOP_S))

    def active_level_db(self) -> float:
        """Return the active loudness of what was pushed, in dBFS."""
        return float(10 * np.log10(max(active_power(self.power()), 1e-20)))


@dataclass(frozen=True)
class Analysis:
    """What the first pass found beside log-mels, and the seconds of its stages.

    `level_db` is the active loudness (dBFS), `power` (F,) the mean power of each hop, both at the
    source's own level. F0 (F,) is 0 where unvoiced.
    """

    level_db: float
    power: NDArray[np.float64]
    f0_hz: NDArray[np.float32]
    sums: FrameSums
    seconds: dict[str, float]


def analyze(
    source: AudioSource,
    mixdown: Mixdown,
    spec: MelSpec,
    mels: SpooledFrames,
    advance: Callable[[float], None],
) -> Analysis:
    """Analyse a source; see `Analysis`.

    Its log-mels at the analysis level are appended to `mels`, F rows of n_mels. `advance` is called
    with the share done, 0 to 1.
    """
    seconds: dict[str, float] = {}
    own_meter = PowerMeter.for_level(source.sample_rate)
    meter, hop_meter = PowerMeter.for_level(spec.sample_rate), PowerMeter(spec.hop_length)

    def metered_blocks() -> Iterator[NDArray[np.float32]]:
        for block in mixdown.mono_blocks(source):
            own_meter.push(block)
            yield block

    n_samples = resampled_length(mixdown.n_samples, source.sample_rate, spec.sample_rate)
    blocks = resample_blocks(metered_blocks(), source.sample_rate, spec.sample_rate, n_samples)
    with SpooledFrames(1) as waveform:
        with timed(seconds, "read"):
            for block in blocks:
                waveform.append(block)
                meter.push(block)
                hop_meter.push(block)
            # Silence up to a whole frame: the last samples are converted too.
            waveform.append(np.zeros(-n_samples % spec.hop_length, np.float32))
            gain = 10 ** ((ANALYSIS_LEVEL_DB - meter.active_level_db()) / 20)
        advance(0.2)
        with timed(seconds, "mel"):
            _extract_mels(waveform, gain, spec, mels)
        advance(0.3)
        with timed(seconds, "f0"):
            f0_hz = extract_f0_in_pieces(
                waveform, spec, gain, lambda done: advance(0.3 + 0.7 * done)
            )
    return Analysis(
        level_db=own_meter.active_level_db(),
        power=hop_meter.power(),
        f0_hz=f0_hz,
        sums=_sum_active(mels, f0_hz),
        seconds=seconds,
    )


def _extract_mels(waveform: SpooledFrames, gain: float, spec: MelSpec, mels: SpooledFrames) -> None:
    """Append the log-mels of the whole waveform, frame by frame as one call would give them."""
    log_mel = LogMel(spec)
    n_frames = len(waveform) // spec.hop_length
    context = -(-spec.n_fft // (2 * spec.hop_length))  # frames that see beyond a piece's edge
    for first in range(0, n_frames, MEL_FRAMES):
        last = min(first + MEL_FRAMES, n_frames)
        low, high = max(first - context, 0), min(last + context, n_frames)
        samples = waveform.read(low * spec.hop_length, high * spec.hop_length)[:, 0] * gain
        with torch.inference_mode():
            frames = log_mel(torch.from_numpy(samples.astype(np.float32))[None])[0].T
        mels.append(frames[first - low : last - low].numpy())


def extract_f0_in_pieces(
    waveform: SpooledFrames,
    spec: MelSpec,
    gain: float = 1.0,
    advance: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float32]:
    """Return `extract_f0` of F * hop_length samples, times a gain, in bounded memory.

    `advance` is called with the share done, 0 to 1.
    """
    n_frames = len(waveform) // spec.hop_length
    # Pieces begin where a mel frame and a frame of WORLD's begin together: same grid as the whole.
    steps = Fraction(1000 * spec.hop_length, spec.sample_rate) / Fraction(ANALYSIS_MS)
    piece = max(1, round(PIECE_S * spec.frame_rate / steps.denominator)) * steps.denominator
    overlap = -int(-PIECE_OVERLAP_S * spec.frame_rate // steps.denominator) * steps.denominator
    pieces = []
    for first in range(0, n_frames, piece):
        low, high = max(first - overlap, 0), min(first + piece + overlap, n_frames)
        samples = waveform.read(low * spec.hop_length, high * spec.hop_length)[:, 0] * gain
        f0_hz = extract_f0(samples.astype(np.float32), spec)
        pieces.append(f0_hz[first - low : first - low + piece])
        advance(high / n_frames)
    return np.concatenate(pieces)


def _sum_active(mels: SpooledFrames, f0_hz: NDArray[np.float32]) -> FrameSums:
    """Return `sum_frames` of all frames, without holding them."""
    starts = range(0, len(mels), MEL_FRAMES)
    pieces = [(start, min(start + MEL_FRAMES, len(mels))) for start in starts]
    level = np.concatenate([frame_level_db(mels.read(*piece)) for piece in pieces])
    active = level >= np.percentile(level, 95) - ACTIVE_RANGE_DB
    return add_sums([sum_frames(mels.read(a, b), f0_hz[a:b], active[a:b]) for a, b in pieces])
