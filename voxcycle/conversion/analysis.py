"""The first pass over a recording: level, mels, F0 and statistics, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.activity import find_speech, speech_level_db
from voxcycle.audio.f0 import extract_f0_of_blocks
from voxcycle.audio.io import AudioSource
from voxcycle.audio.level import ANALYSIS_LEVEL_DB, frame_power, remove_rumble, to_db
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import Mixdown
from voxcycle.audio.resample import resample_blocks, resampled_length
from voxcycle.audio.stats import FrameSums, add_sums, sum_frames
from voxcycle.conversion.spooled_frames import SpooledFrames

F0_SAMPLES = 1 << 19  # read at a time
MEL_FRAMES = 2048  # analysed at a time


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


@dataclass(frozen=True)
class Analysis:
    """What the first pass found.

    Attributes:
        power: mean power of each hop at the source's level, without rumble, (F,).
        speech: which frames are speech, (F,).
        level_db: of the speech, dBFS.
        mels: log-mels at the analysis level, F rows of n_mels.
        f0_hz: (F,), 0 where unvoiced.
        sums: over speech frames, for statistics.
        seconds: time spent by stage.
    """

    power: NDArray[np.float64]
    speech: NDArray[np.bool_]
    level_db: float
    mels: SpooledFrames
    f0_hz: NDArray[np.float32]
    sums: FrameSums
    seconds: dict[str, float]


def analyze(
    source: AudioSource,
    mixdown: Mixdown,
    spec: MelSpec,
    waveform: SpooledFrames,
    mels: SpooledFrames,
    advance: Callable[[float], None],
) -> Analysis:
    """Analyse a source; see `Analysis`.

    Args:
        source: the recording.
        mixdown: its way to mono.
        spec: the mel analysis.
        waveform: an empty file for the source at the rate of the analysis, without rumble, in whole
            frames.
        mels: an empty file for the log-mels.
        advance: called with the share done, 0 to 1.
    """
    started = perf_counter()
    n_samples = resampled_length(mixdown.n_samples, source.sample_rate, spec.sample_rate)
    resampled = resample_blocks(
        mixdown.mono_blocks(source), source.sample_rate, spec.sample_rate, n_samples
    )
    meter = PowerMeter(spec.hop_length)
    for block in remove_rumble(resampled, spec.sample_rate):
        waveform.append(block)
        meter.push(block)
    # Silence up to a whole frame: the last samples are converted too.
    waveform.append(np.zeros(-n_samples % spec.hop_length, np.float32))
    power = meter.power()[: len(waveform) // spec.hop_length]
    seconds = {"read": perf_counter() - started}
    advance(0.2)

    started = perf_counter()
    f0_hz = extract_spooled_f0(waveform, power, spec, lambda done: advance(0.2 + 0.7 * done))
    seconds["f0"] = perf_counter() - started

    started = perf_counter()
    speech = find_speech(to_db(power), f0_hz, spec.frame_rate)
    level_db = speech_level_db(power, speech)
    _extract_mels(waveform, 10 ** ((ANALYSIS_LEVEL_DB - level_db) / 20), spec, mels)
    sums = _sum_frames(mels, f0_hz, speech)
    seconds["mel"] = perf_counter() - started
    advance(1.0)
    return Analysis(
        power=power,
        speech=speech,
        level_db=level_db,
        mels=mels,
        f0_hz=f0_hz,
        sums=sums,
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


def extract_spooled_f0(
    waveform: SpooledFrames,
    power: NDArray[np.float64],
    spec: MelSpec,
    advance: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float32]:
    """Return `extract_f0` of a waveform of whole frames in bounded memory.

    Args:
        waveform: F * hop_length samples at the rate of the mel analysis.
        power: mean power of its hops, (F,).
        spec: the mel analysis.
        advance: called with the share done, 0 to 1.
    """

    def read() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(waveform), F0_SAMPLES):
            stop = min(start + F0_SAMPLES, len(waveform))
            yield waveform.read(start, stop)[:, 0]
            advance(stop / len(waveform))

    return extract_f0_of_blocks(read(), power, spec)


def measure_power(waveform: SpooledFrames, hop: int) -> NDArray[np.float64]:
    """Return the mean power of the hops of a waveform, (F,)."""
    meter = PowerMeter(hop)
    for start in range(0, len(waveform), F0_SAMPLES):
        meter.push(waveform.read(start, min(start + F0_SAMPLES, len(waveform)))[:, 0])
    return meter.power()[: len(waveform) // hop]


def _sum_frames(
    mels: SpooledFrames, f0_hz: NDArray[np.float32], speech: NDArray[np.bool_]
) -> FrameSums:
    """Return `sum_frames` of all frames, without holding them."""
    starts = range(0, len(mels), MEL_FRAMES)
    pieces = [(start, min(start + MEL_FRAMES, len(mels))) for start in starts]
    return add_sums([sum_frames(mels.read(a, b), f0_hz[a:b], speech[a:b]) for a, b in pieces])
