"""Conversion of a recording to a voice in two passes, in bounded memory.

Pass 1 finds level, mels, F0 and statistics of the whole input; pass 2 drives the stages, generator
and vocoder, in chunks with their whole context, so that the result does not depend on the chunks.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
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
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.resample import resampled_length
from voxcycle.audio.source_signals import onset_phases
from voxcycle.audio.stats import DomainStats, FrameSums, estimate_stats
from voxcycle.conversion.analysis import Analysis, PowerMeter, analyze, timed
from voxcycle.conversion.frames import CHUNK_FRAMES, SpooledFrames, equal_chunk_frames
from voxcycle.conversion.loudness import BLOCK_SAMPLES, Rendered, find_pause_gain_db, match_level
from voxcycle.conversion.pitch_correction import correct_pitch
from voxcycle.conversion.stages import MelConverter, Renderer
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.registry import DEFAULT_VOCODER, load_vocoder
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import Voice

Pitch = float | Literal["auto", "keep"]
ReportShare = Callable[[float], None]
FAR_SOURCE_SEMITONES = 4.0
# What each stage takes of the whole time, roughly, in their order.
STAGE_SHARES = {"analysis": 0.15, "stages": 0.75, "correction": 0.05, "level": 0.05}


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        pitch: "auto" moves the source's F0 to the target's range, "keep" leaves it, a number adds
            semitones to "auto".
        output_rate: sample rate of the output in Hz; None keeps the input's.
        use_file_stats: normalise by the file's own statistics where the voice was trained on one
            source speaker (any-to-one voices always do).
        second_pass: share of a second conversion, which removes more of the source speaker and
            costs words, 0 to 1; None takes the voice's own.
    """

    pitch: Pitch = "auto"
    output_rate: int | None = None
    use_file_stats: bool = False
    second_pass: float | None = None

    def __post_init__(self) -> None:
        is_text = isinstance(self.pitch, str)
        if self.pitch not in ("auto", "keep") and (is_text or not math.isfinite(float(self.pitch))):
            raise ValueError(f"pitch {self.pitch!r}: auto, keep or a number of semitones is needed")
        if self.second_pass is not None and not 0 <= self.second_pass <= 1:
            raise ValueError(f"second_pass {self.second_pass}: a number from 0 to 1 is needed")
        if self.output_rate is not None:
            check_sample_rate(self.output_rate, "the output")


@dataclass(frozen=True)
class Conversion:
    """A converted recording.

    Attributes:
        waveform: (T,) in [-1, 1]; empty where it was written to a file.
        sample_rate: in Hz.
        n_samples: length at `sample_rate`.
        f0_hz: the F0 that was asked for, per mel frame, (F,), 0 where unvoiced.
        source_stats: what normalised the source.
        notes: for its owner.
        seconds: time spent by stage.
    """

    waveform: NDArray[np.float32]
    sample_rate: int
    n_samples: int
    f0_hz: NDArray[np.float32]
    source_stats: DomainStats
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def convert(
    source: str | Path | NDArray[np.float32],
    to: Voice | str | Path,
    *,
    sample_rate: int | None = None,
    pitch: Pitch = "auto",
    vocoder: str | Vocoder = DEFAULT_VOCODER,
    output_rate: int | None = None,
    use_file_stats: bool = False,
    second_pass: float | None = None,
    progress: ReportShare | None = None,
) -> Conversion:
    """Convert a recording to a voice.

    Args:
        source: an audio file, or a waveform (T,) or (T, channels), floating point, full scale at 1.
        to: the voice, its name or its file.
        sample_rate: of a waveform in Hz; a file knows its own.
        pitch: "auto", "keep" or semitones relative to auto; see `Options`.
        vocoder: a name for `load_vocoder`, or a loaded vocoder.
        output_rate: in Hz; None keeps the source's.
        use_file_stats: see `Options`.
        second_pass: see `Options`.
        progress: called with the share done, 0 to 1.

    Raises:
        AudioError: the source cannot be read, is too short, silent, clipped throughout or not
            finite.
        VoiceError, ArtifactError: there is no such voice, or its file is damaged.
        ValueError: an option is wrong, or the vocoder was made for another mel analysis.
    """
    options = Options(pitch, output_rate, use_file_stats, second_pass)
    audio: AudioSource
    if isinstance(source, str | Path):
        if sample_rate is not None:
            raise ValueError("sample_rate is of a waveform; a file knows its own")
        audio = FileSource(Path(source))
    elif sample_rate is None:
        raise ValueError("a waveform needs its sample_rate, in Hz")
    else:
        audio = ArraySource(source, sample_rate)
    voice = to if isinstance(to, Voice) else load_voice(to)
    vocoder = load_vocoder(vocoder, voice.spec) if isinstance(vocoder, str) else vocoder
    with _converted(audio, voice=voice, vocoder=vocoder, options=options, report=progress) as (
        result,
        blocks,
    ):
        return replace(result, waveform=np.concatenate(list(blocks)))


def convert_file(
    source: FileSource,
    target: Path,
    audio_format: AudioFormat,
    voice: Voice,
    vocoder: Vocoder,
    options: Options | None = None,
    progress: ReportShare | None = None,
) -> Conversion:
    """Convert a file to a file that appears under its name only when complete.

    Its tags say that it was converted, to which voice and by which version. It is replaced if it
    exists; its folder must exist. `progress` is called with the share done, 0 to 1. Raises
    AudioError where reading, converting or writing fails, ValueError for a vocoder of another mel
    analysis.
    """
    program = f"voxcycle {voxcycle.__version__}"
    tags = {
        "title": f"{source.path.stem} in the voice {voice.card.name}",
        "comment": f"Synthetic speech: converted to the voice {voice.card.name} by {program}",
        "software": program,
    }
    check_target(target)
    options = options or Options()
    with _converted(source, voice=voice, vocoder=vocoder, options=options, report=progress) as (
        result,
        blocks,
    ):
        write_audio(
            target,
            blocks=blocks,
            sample_rate=result.sample_rate,
            audio_format=audio_format,
            tags=tags,
        )
    return result


@contextmanager
def _converted(
    source: AudioSource,
    *,
    voice: Voice,
    vocoder: Vocoder,
    options: Options,
    report: ReportShare | None,
) -> Iterator[tuple[Conversion, Iterator[NDArray[np.float32]]]]:
    """Convert; gives the result without its waveform, and the waveform's blocks to be consumed."""
    voice.spec.require_same(vocoder.spec, f"the voice {voice.card.name}", "the vocoder")
    report = report or (lambda share: None)
    spec, output_rate = voice.spec, options.output_rate or source.sample_rate
    with ExitStack() as stack:
        mels = stack.enter_context(SpooledFrames(spec.n_mels))
        waveform = stack.enter_context(SpooledFrames(1))
        mixdown = plan_mixdown(source)
        analysis = analyze(
            source, mixdown=mixdown, spec=spec, mels=mels, advance=_stage(report, "analysis")
        )
        notes, seconds = list(mixdown.notes), analysis.seconds
        source_stats = _choose_stats(analysis.sums, voice, options, notes)
        if options.pitch == "keep":
            f0_hz = limit_f0(analysis.f0_hz)
        else:
            shift_semitones = 0.0 if options.pitch == "auto" else float(options.pitch)
            f0_hz = transform_f0(analysis.f0_hz, source_stats, voice.target_stats, shift_semitones)
        converter = MelConverter(
            voice.generator,
            spec=spec,
            source=source_stats,
            target=voice.target_stats,
            second_pass=voice.second_pass if options.second_pass is None else options.second_pass,
            chunk_frames=equal_chunk_frames(len(mels)),
        )
        _drive(
            mels,
            f0_hz=f0_hz,
            converter=converter,
            renderer=Renderer(vocoder, equal_chunk_frames(len(mels))),
            waveform=waveform,
            seconds=seconds,
            report=_stage(report, "stages"),
        )
        if not vocoder.follows_f0:
            corrected = stack.enter_context(SpooledFrames(1))
            with timed(seconds, "correction"):
                correct_pitch(
                    waveform,
                    f0_hz=f0_hz,
                    spec=spec,
                    corrected=corrected,
                    advance=_stage(report, "correction"),
                )
            waveform = corrected
        with timed(seconds, "level"):
            rendered = _hold_pauses(waveform, analysis, spec)
            n_output = resampled_length(mixdown.n_samples, source.sample_rate, output_rate)
            gain, gain_notes = match_level(rendered, output_rate, n_output)
        result = Conversion(
            waveform=np.zeros(0, np.float32),
            sample_rate=output_rate,
            n_samples=n_output,
            f0_hz=f0_hz,
            source_stats=source_stats,
            notes=notes + gain_notes,
            seconds=seconds,
        )
        yield result, (block * gain for block in rendered.blocks(output_rate, n_output))
        report(1.0)


def _stage(report: ReportShare, name: str) -> ReportShare:
    """Return what a stage calls with the share of it that is done."""
    names = list(STAGE_SHARES)
    before = sum(STAGE_SHARES[other] for other in names[: names.index(name)])
    return lambda share: report(before + STAGE_SHARES[name] * share)


def _drive(
    mels: SpooledFrames,
    *,
    f0_hz: NDArray[np.float32],
    converter: MelConverter,
    renderer: Renderer,
    waveform: SpooledFrames,
    seconds: dict[str, float],
    report: ReportShare,
) -> None:
    """Push all mels through generator and vocoder, and add up the seconds of each."""

    def converted_mels() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(mels), CHUNK_FRAMES):
            stop = min(start + CHUNK_FRAMES, len(mels))
            with timed(seconds, "generator"):
                converted = converter.push(mels.read(start, stop), f0_hz[start:stop])
            yield converted
            report(stop / len(mels))
        with timed(seconds, "generator"):
            converted = converter.flush()
        yield converted

    phases = onset_phases(f0_hz, converter.spec)
    n_converted = 0
    for converted in converted_mels():
        frames = slice(n_converted, n_converted + len(converted))
        with timed(seconds, "vocoder"):
            waveform.append(renderer.push(converted, f0_hz[frames], phases[frames]))
        n_converted = frames.stop
    with timed(seconds, "vocoder"):
        waveform.append(renderer.flush())


def _hold_pauses(waveform: SpooledFrames, analysis: Analysis, spec: MelSpec) -> Rendered:
    """Return the waveform with the attenuation of its pauses, ready to be levelled."""
    meter = PowerMeter(spec.hop_length)
    for first in range(0, len(waveform), BLOCK_SAMPLES):
        meter.push(waveform.read(first, min(first + BLOCK_SAMPLES, len(waveform)))[:, 0])
    output_power = meter.power()[: len(analysis.f0_hz)]
    return Rendered(
        waveform=waveform,
        sample_rate=spec.sample_rate,
        hop_length=spec.hop_length,
        pause_gain_db=find_pause_gain_db(analysis.power, output_power, analysis.level_db),
        level_db=analysis.level_db,
    )


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
