"""The first pass over a recording: level, mels, F0 and statistics, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.activity import find_speech, speech_level_db
from voxcycle.audio.denoise import (
    DENOISE_RATE,
    MIN_SPEECH_TO_FLOOR_DB,
    Denoise,
    denoise_blocks,
    speech_to_floor_db,
)
from voxcycle.audio.f0 import extract_f0_of_blocks
from voxcycle.audio.io import AudioSource
from voxcycle.audio.level import ANALYSIS_LEVEL_DB, frame_power, remove_rumble, to_db
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import Mixdown
from voxcycle.audio.resample import resample_blocks, resampled_length
from voxcycle.audio.stats import FrameSums, add_sums, sum_frames
from voxcycle.conversion.frames import SpooledFrames

BLOCK_SAMPLES = 1 << 18  # read at a time
MEL_FRAMES = 2048  # analysed at a time
NO_FRAMES = FrameSums(0, np.zeros(0), np.zeros(0), 0, 0, 0)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time that a block takes to that of its stage."""
    started = perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - started


@dataclass(frozen=True)
class Analysis:
    """What the first pass found beside log-mels, the seconds of its stages, and notes for the user.

    All is measured in the cleaned recording, where it was cleaned. `power` (F,) is the mean power
    of each hop without rumble, `speech` (F,) marks the frames that are speech, and `level_db` is
    the level of these (dBFS), all at the source's own level. F0 (F,) is 0 where unvoiced. `sums`
    are over speech frames.
    """

    power: NDArray[np.float64]
    speech: NDArray[np.bool_]
    level_db: float
    f0_hz: NDArray[np.float32]
    sums: FrameSums = NO_FRAMES
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def analyze(
    source: AudioSource,
    mixdown: Mixdown,
    *,
    spec: MelSpec,
    waveform: SpooledFrames,
    mels: SpooledFrames,
    denoise: Denoise,
    advance: Callable[[float], None],
) -> Analysis:
    """Analyse a source; see `Analysis`.

    The source at the rate of the analysis, in whole frames, is appended to `waveform`; its log-mels
    at the analysis level to `mels`, F rows of n_mels. `advance` is called with the share done, 0 to
    1. Only the mels keep rumble, because the shipped voices were trained with it.
    """
    seconds: dict[str, float] = {}
    n_samples = resampled_length(mixdown.n_samples, source.sample_rate, spec.sample_rate)
    resampled = resample_blocks(
        mixdown.mono_blocks(source), source.sample_rate, spec.sample_rate, n_samples
    )
    with timed(seconds, "read"):
        for block in resampled:
            waveform.append(block)
        # Silence up to a whole frame: the last samples are converted too.
        waveform.append(np.zeros(-n_samples % spec.hop_length, np.float32))
    advance(0.2)
    with timed(seconds, "f0"):
        found = _find_speech(waveform, spec, lambda done: advance(0.2 + 0.4 * done))
    notes: list[str] = []
    with ExitStack() as stack:
        floor_db = speech_to_floor_db(found.power, found.f0_hz, found.level_db)
        if denoise == "on" or (denoise == "auto" and floor_db < MIN_SPEECH_TO_FLOOR_DB):
            with timed(seconds, "denoise"):
                cleaned = stack.enter_context(SpooledFrames(1))
                _denoise(waveform, spec, cleaned)
                found = _find_speech(cleaned, spec, lambda done: advance(0.6 + 0.3 * done))
            waveform = cleaned
            is_heard = floor_db < MIN_SPEECH_TO_FLOOR_DB
            what = (
                f"noise {floor_db:.0f} dB below the speech" if is_heard else "what noise there is"
            )
            notes.append(f"{what} was removed first")
        with timed(seconds, "mel"):
            _extract_mels(waveform, 10 ** ((ANALYSIS_LEVEL_DB - found.level_db) / 20), spec, mels)
            sums = _sum_frames(mels, found.f0_hz, found.speech)
    advance(1.0)
    return replace(found, sums=sums, seconds=seconds, notes=notes)


def _find_speech(
    waveform: SpooledFrames, spec: MelSpec, advance: Callable[[float], None]
) -> Analysis:
    """Find power, F0, speech and its level in a waveform of whole frames."""
    power = measure_power(read_steady(waveform, spec), spec)
    f0_hz = track_spooled_f0(waveform, power, spec, advance)
    speech = find_speech(to_db(power), f0_hz, spec.frame_rate)
    return Analysis(power, speech, speech_level_db(power, speech), f0_hz)


def _denoise(waveform: SpooledFrames, spec: MelSpec, cleaned: SpooledFrames) -> None:
    """Append a waveform without its noise, and without what is above 8 kHz."""
    rate, n_samples = spec.sample_rate, len(waveform)
    blocks = (
        waveform.read(start, min(start + BLOCK_SAMPLES, n_samples))[:, 0]
        for start in range(0, n_samples, BLOCK_SAMPLES)
    )
    n_resampled = resampled_length(n_samples, rate, DENOISE_RATE)
    quiet = denoise_blocks(resample_blocks(blocks, rate, DENOISE_RATE, n_resampled))
    for block in resample_blocks(quiet, DENOISE_RATE, rate, n_samples):
        cleaned.append(block)


def _extract_mels(waveform: SpooledFrames, gain: float, spec: MelSpec, mels: SpooledFrames) -> None:
    """Append the log-mels of the whole waveform, frame by frame as one call would give them."""
    log_mel = LogMel(spec)
    n_frames = len(waveform) // spec.hop_length
    context = -(-spec.n_fft // (2 * spec.hop_length))  # frames that see beyond a piece's edge
    for first in range(0, n_frames, MEL_FRAMES):
        last = min(first + MEL_FRAMES, n_frames)
        low, high = max(first - context, 0), min(last + context, n_frames)
        samples = waveform.read(low * spec.hop_length, high * spec.hop_length)[:, 0] * gain
        frames = log_mel(samples.astype(np.float32))
        mels.append(frames[first - low : last - low])


def read_steady(waveform: SpooledFrames, spec: MelSpec) -> Iterator[NDArray[np.float32]]:
    """Yield a waveform of whole frames in blocks of whole frames, without rumble."""
    step = BLOCK_SAMPLES // spec.hop_length * spec.hop_length
    starts = range(0, len(waveform), step)
    blocks = (waveform.read(start, min(start + step, len(waveform)))[:, 0] for start in starts)
    return remove_rumble(blocks, spec.sample_rate)


def track_spooled_f0(
    waveform: SpooledFrames,
    power: NDArray[np.float64],
    spec: MelSpec,
    advance: Callable[[float], None],
) -> NDArray[np.float32]:
    """Return `extract_f0_of_blocks` of a waveform; `advance` is called with the share done."""

    def read() -> Iterator[NDArray[np.float32]]:
        n_read = 0
        for block in read_steady(waveform, spec):
            yield block
            n_read += len(block)
            advance(n_read / len(waveform))

    return extract_f0_of_blocks(read(), power, spec)


def measure_power(blocks: Iterable[NDArray[np.float32]], spec: MelSpec) -> NDArray[np.float64]:
    """Return the mean power of the hops of blocks of whole frames, (F,)."""
    return np.concatenate([frame_power(block, spec.hop_length) for block in blocks])


def _sum_frames(
    mels: SpooledFrames, f0_hz: NDArray[np.float32], speech: NDArray[np.bool_]
) -> FrameSums:
    """Return `sum_frames` of all frames, without holding them."""
    starts = range(0, len(mels), MEL_FRAMES)
    pieces = [(start, min(start + MEL_FRAMES, len(mels))) for start in starts]
    return add_sums([sum_frames(mels.read(a, b), f0_hz[a:b], speech[a:b]) for a, b in pieces])
