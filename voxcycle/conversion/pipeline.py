"""Conversion of a recording to a voice in two passes, in bounded memory.

Pass 1 finds level, mels, F0 and statistics of the whole input; pass 2 runs generator and vocoder in
chunks with their whole context, so that the result does not depend on the chunks.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import voxcycle
from voxcycle.audio.f0 import limit_f0, transform_f0
from voxcycle.audio.io import (
    ArraySource,
    AudioFormat,
    AudioSource,
    FileSource,
    check_sample_rate,
    check_target,
    write_audio,
)
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.resample import resampled_length
from voxcycle.audio.stats import DomainStats, FrameSums, estimate_stats
from voxcycle.conversion.analysis import PowerMeter, analyze
from voxcycle.conversion.generator import generate_mels, render_waveform
from voxcycle.conversion.loudness import BLOCK_SAMPLES, Rendered, find_pause_gain_db, match_level
from voxcycle.conversion.pitch_correction import correct_pitch
from voxcycle.conversion.spooled_frames import RowFile
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.registry import DEFAULT_VOCODER, load_vocoder
from voxcycle.voices.voice import Voice

Pitch = float | Literal["auto", "keep"]
FAR_SOURCE_SEMITONES = 4.0


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        pitch: "auto" moves the source's F0 to the target's range, "keep" leaves it, a number adds
            semitones to "auto".
        sample_rate: of the output in Hz; None keeps the input's.
        use_file_stats: normalise by the file's own statistics where the voice was trained on one
            source speaker (any-to-one voices always do).
        strength: how far to go towards the voice, 0 to 1; None takes the voice's own.
    """

    pitch: Pitch = "auto"
    sample_rate: int | None = None
    use_file_stats: bool = False
    strength: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.pitch, str) and self.pitch not in ("auto", "keep"):
            raise ValueError(f"pitch {self.pitch!r}: auto, keep or a number of semitones is needed")
        if not isinstance(self.pitch, str) and not math.isfinite(self.pitch):
            raise ValueError(f"pitch {self.pitch}: auto, keep or a number of semitones is needed")
        if self.strength is not None and not 0 <= self.strength <= 1:
            raise ValueError(f"strength {self.strength}: a number from 0 to 1 is needed")
        if self.sample_rate is not None:
            check_sample_rate(self.sample_rate, "the output")


@dataclass(frozen=True)
class Conversion:
    """A converted recording.

    Attributes:
        waveform: (T,) in [-1, 1]; empty where it was written to a file.
        sample_rate: in Hz.
        n_samples: length at `sample_rate`.
        notes: what its owner should know, each one sentence part.
        seconds: time spent by stage.
    """

    waveform: NDArray[np.float32]
    sample_rate: int
    n_samples: int
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def convert_waveform(
    waveform: NDArray[np.float32],
    sample_rate: int,
    voice: Voice | str | Path,
    *,
    pitch: Pitch = "auto",
    vocoder: str | Vocoder = DEFAULT_VOCODER,
    output_rate: int | None = None,
    use_file_stats: bool = False,
    strength: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Conversion:
    """Convert a waveform (T,) or (T, channels) to a voice.

    Args:
        waveform: floating point, full scale at 1.
        sample_rate: in Hz.
        voice: the target, its name or its file.
        pitch: "auto", "keep" or semitones relative to auto; see `Options`.
        vocoder: a name for `load_vocoder`, or a loaded vocoder.
        output_rate: in Hz; None keeps `sample_rate`.
        use_file_stats: see `Options`.
        strength: 0 to 1, more is nearer to the voice and loses more of the words; see `Options`.
        progress: called with the share done, 0 to 1.

    Raises:
        AudioError: the waveform is too short, silent, clipped throughout or not finite.
        ValueError: the vocoder was made for another mel analysis.
    """
    source = ArraySource(waveform, sample_rate)
    options = Options(pitch, output_rate, use_file_stats, strength)
    voice = _resolve_voice(voice)
    vocoder = load_vocoder(vocoder, voice.spec) if isinstance(vocoder, str) else vocoder
    with _converted(source, voice, vocoder, options, progress) as (result, blocks):
        return Conversion(
            np.concatenate(list(blocks)),
            result.sample_rate,
            result.n_samples,
            result.notes,
            result.seconds,
        )


def convert_file(
    source: FileSource,
    target: Path,
    audio_format: AudioFormat,
    voice: Voice,
    vocoder: Vocoder,
    options: Options | None = None,
    progress: Callable[[float], None] | None = None,
) -> Conversion:
    """Convert a file to a file that appears under its name only when complete.

    The written file says in its tags that it was converted, to which voice and by which version.

    Args:
        source: the recording.
        target: the output; replaced if it exists. Its folder must exist.
        audio_format: how to write it.
        voice: the target voice.
        vocoder: renders the voice's mels.
        options: see `Options`.
        progress: called with the share done, 0 to 1.

    Raises:
        AudioError: the source cannot be converted or the target cannot be written.
        ValueError: the vocoder was made for another mel analysis.
    """
    program = f"voxcycle {voxcycle.__version__}"
    tags = {
        "title": f"{source.path.stem} in the voice {voice.card.name}",
        "comment": f"Synthetic speech: converted to the voice {voice.card.name} by {program}",
        "software": program,
    }
    check_target(target)
    options = options or Options()
    with _converted(source, voice, vocoder, options, progress) as (result, blocks):
        write_audio(target, blocks, result.sample_rate, audio_format, tags)
    return result


@contextmanager
def _converted(
    source: AudioSource,
    voice: Voice,
    vocoder: Vocoder,
    options: Options,
    progress: Callable[[float], None] | None,
) -> Iterator[tuple[Conversion, Iterator[NDArray[np.float32]]]]:
    """Convert; gives the result without its waveform, and the waveform's blocks to be consumed."""
    voice.spec.require_same(vocoder.spec, f"the voice {voice.card.name}", "the vocoder")
    report = progress or (lambda share: None)
    spec, output_rate = voice.spec, options.sample_rate or source.sample_rate
    n_output = 0
    with ExitStack() as stack:
        mels = stack.enter_context(RowFile(spec.n_mels))
        converted = stack.enter_context(RowFile(spec.n_mels))
        waveform = stack.enter_context(RowFile(1))
        mixdown = plan_mixdown(source)
        analysis = analyze(source, mixdown, spec, mels, lambda share: report(0.15 * share))
        notes, seconds = list(mixdown.notes), analysis.seconds

        started = perf_counter()
        source_stats = _choose_stats(analysis.sums, voice, options, notes)
        f0_hz = _choose_f0(analysis.f0_hz, source_stats, voice, options.pitch)
        generate_mels(
            voice,
            source_stats,
            mels,
            f0_hz,
            converted,
            lambda share: report(0.15 + 0.1 * share),
            voice.strength if options.strength is None else options.strength,
        )
        seconds["generator"] = perf_counter() - started

        started = perf_counter()
        for block in render_waveform(vocoder, converted, f0_hz):
            waveform.append(block)
            report(0.25 + 0.65 * len(waveform) / (len(mels) * spec.hop_length))
        seconds["vocoder"] = perf_counter() - started

        if not vocoder.follows_f0:
            started = perf_counter()
            corrected = stack.enter_context(RowFile(1))
            correct_pitch(
                waveform, f0_hz, spec, corrected, lambda share: report(0.9 + 0.05 * share)
            )
            waveform = corrected
            seconds["correction"] = perf_counter() - started

        started = perf_counter()
        meter = PowerMeter(spec.hop_length)
        for first in range(0, len(waveform), BLOCK_SAMPLES):
            meter.push(waveform.read(first, min(first + BLOCK_SAMPLES, len(waveform)))[:, 0])
        pause_gain_db = find_pause_gain_db(
            analysis.power, meter.power()[: len(mels)], analysis.level_db
        )
        rendered = Rendered(
            waveform, spec.sample_rate, spec.hop_length, pause_gain_db, analysis.level_db
        )
        n_output = resampled_length(mixdown.n_samples, source.sample_rate, output_rate)
        gain = match_level(rendered, output_rate, n_output)
        seconds["level"] = perf_counter() - started
        factor = np.float32(gain.factor)
        yield (
            Conversion(np.zeros(0, np.float32), output_rate, n_output, notes + gain.notes, seconds),
            (block * factor for block in rendered.blocks(output_rate, n_output)),
        )
        report(1.0)


def _resolve_voice(voice: Voice | str | Path) -> Voice:
    if isinstance(voice, Voice):
        return voice
    from voxcycle.voices.library import load_voice

    return load_voice(voice)


def _choose_stats(sums: FrameSums, voice: Voice, options: Options, notes: list[str]) -> DomainStats:
    """Return what normalises the source; appends a note where the voice expects another speaker."""
    if voice.is_any_to_one or options.use_file_stats:
        return estimate_stats(sums, voice.source_stats)
    if sums.n_voiced:
        log_mean = sums.log_f0 / sums.n_voiced
        distance = 12 / np.log(2) * abs(log_mean - voice.source_stats.log_f0_mean)
        if distance > FAR_SOURCE_SEMITONES:
            notes.append(
                f"the voice {voice.card.name} was trained on {voice.card.source or 'a speaker'} at "
                f"{np.exp(voice.source_stats.log_f0_mean):.0f} Hz and this one speaks at "
                f"{np.exp(log_mean):.0f} Hz: try file statistics (--file-stats)"
            )
    return voice.source_stats


def _choose_f0(
    f0_hz: NDArray[np.float32], source_stats: DomainStats, voice: Voice, pitch: Pitch
) -> NDArray[np.float32]:
    if pitch == "keep":
        return limit_f0(f0_hz)
    shift_semitones = 0.0 if pitch == "auto" else float(pitch)
    return transform_f0(f0_hz, source_stats, voice.target_stats, shift_semitones)
