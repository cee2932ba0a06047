"""Conversion of a recording to a voice in two passes, in bounded memory.

Pass 1 finds level, mels, F0 and statistics of the whole input; pass 2 drives the stages, generator
and vocoder, in chunks with their whole context, so that the result does not depend on the chunks.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import voxcycle
from voxcycle.audio.denoise import Denoise
from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ, is_sung, limit_f0, transform_f0
from voxcycle.audio.io import CONVERTED, ArraySource, AudioSource, FileSource
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.output import AudioFormat, check_target, write_audio
from voxcycle.audio.part import PartSource
from voxcycle.audio.resample import resampled_length
from voxcycle.audio.source_signals import onset_phases
from voxcycle.audio.stats import DomainStats, FrameSums, estimate_stats
from voxcycle.conversion.analysis import Analysis, analyze, measure_power, read_steady, timed
from voxcycle.conversion.frames import CHUNK_FRAMES, SpooledFrames, equal_chunk_frames
from voxcycle.conversion.loudness import Rendered, find_pause_gain_db, follow_level, limit_peak
from voxcycle.conversion.options import Background, Conversion, Options, Pitch
from voxcycle.conversion.pitch_correction import correct_pitch
from voxcycle.conversion.stages import MelConverter, Renderer, content_source, mel_source
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.registry import DEFAULT_VOCODER, load_vocoder
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import Voice

ReportShare = Callable[[float], None]
FAR_SOURCE_SEMITONES = 4.0
MAX_OUTSIDE_SHARE = 0.02
MISSED_SEMITONES = 0.5
SILENT_DB = -120.0
# What each stage takes of the whole time, roughly, in their order.
STAGE_SHARES = dict(analysis=0.15, content=0.05, stages=0.7, correction=0.05, level=0.05)


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
    background: Background = "remove",
    denoise: Denoise = "auto",
    progress: ReportShare | None = None,
) -> Conversion:
    """Convert a recording to a voice.

    Args:
        source: an audio file, or a waveform (T,) or (T, channels), floating point, full scale at 1.
        to: the voice, its name or its file.
        sample_rate: of a waveform in Hz; a file knows its own.
        pitch: "auto", "sing", "keep" or semitones relative to auto; see `Options`.
        vocoder: a name for `load_vocoder`, or a loaded vocoder.
        output_rate: in Hz; None keeps the source's.
        use_file_stats: see `Options`.
        second_pass: see `Options`.
        background: see `Options`.
        denoise: see `Options`.
        progress: called with the share done, 0 to 1.

    Raises:
        AudioError: the source cannot be read, is too short, silent, clipped throughout or not
            finite.
        VoiceError, ArtifactError: there is no such voice, or its file is damaged.
        ValueError: an option is wrong, or the vocoder was made for another mel analysis.
    """
    options = Options(
        pitch=pitch,
        output_rate=output_rate,
        use_file_stats=use_file_stats,
        second_pass=second_pass,
        background=background,
        denoise=denoise,
    )
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
    source: FileSource | PartSource,
    target: Path,
    audio_format: AudioFormat,
    voice: Voice,
    vocoder: Vocoder,
    options: Options | None = None,
    progress: ReportShare | None = None,
) -> Conversion:
    """Convert a file, or a part, to a file that appears under its name only when complete.

    Its tags say that it was converted, to which voice and by which version. It is replaced if it
    exists; its folder must exist. `progress` as in `convert`. Raises AudioError where reading,
    converting or writing fails, ValueError for a vocoder of another mel analysis.
    """
    program = f"voxcycle {voxcycle.__version__}"
    tags = {
        "title": f"{source.path.stem} in the voice {voice.card.name}",
        "comment": f"{CONVERTED} to the voice {voice.card.name} by {program}",
        "software": program,
    }
    check_target(target)
    options = options or Options()
    wanted = options.output_rate or source.sample_rate
    if (fitting := audio_format.fit_rate(wanted)) != wanted:
        options = replace(options, output_rate=fitting)
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
    if fitting != wanted:
        taken = f"{audio_format.extension} does not take {wanted} Hz: written at {fitting} Hz"
        result.notes.append(taken)
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
        recording = stack.enter_context(SpooledFrames(1))
        waveform = stack.enter_context(SpooledFrames(1))
        mixdown = plan_mixdown(source)
        analysis = analyze(
            source,
            mixdown,
            spec=spec,
            waveform=recording,
            mels=mels,
            denoise=options.denoise,
            advance=_stage(report, "analysis"),
        )
        notes, seconds = [*mixdown.notes, *analysis.notes], analysis.seconds
        source_stats = _choose_stats(analysis.sums, voice, options, notes)
        f0_hz = _choose_f0(analysis.f0_hz, source_stats, voice, options.pitch, notes=notes)
        heard, prepare = mels, mel_source(source_stats)
        if voice.generator.n_content:
            heard = stack.enter_context(SpooledFrames(voice.generator.n_content + 1))
            with timed(seconds, "content"):
                advance = _stage(report, "content")
                prepare = content_source(mels, analysis.speech, spec, heard, advance)
            if options.second_pass:
                notes.append(f"a second pass has no effect with the voice {voice.card.name}")
        converter = MelConverter(
            voice.generator,
            prepare,
            spec=spec,
            target=voice.target_stats,
            second_pass=voice.second_pass if options.second_pass is None else options.second_pass,
            chunk_frames=equal_chunk_frames(len(mels)),
        )
        _drive(
            heard,
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
                error_semitones = correct_pitch(
                    waveform,
                    f0_hz=f0_hz,
                    spec=spec,
                    corrected=corrected,
                    advance=_stage(report, "correction"),
                )
            waveform = corrected
            if abs(error_semitones) > MISSED_SEMITONES:
                notes.append(
                    f"the pitch is {error_semitones:+.1f} semitones from what was asked for: "
                    f"{vocoder.name} guesses it from the spectrum; --vocoder fast follows it"
                )
        with timed(seconds, "level"):
            rendered = _set_levels(waveform, recording, analysis, spec, options.background)
            n_output = resampled_length(mixdown.n_samples, source.sample_rate, output_rate)
            gain, gain_notes = limit_peak(rendered, output_rate, n_output)
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
    source: SpooledFrames,
    *,
    f0_hz: NDArray[np.float32],
    converter: MelConverter,
    renderer: Renderer,
    waveform: SpooledFrames,
    seconds: dict[str, float],
    report: ReportShare,
) -> None:
    """Push the source through generator and vocoder, and add up the seconds of each."""

    def converted_mels() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(source), CHUNK_FRAMES):
            stop = min(start + CHUNK_FRAMES, len(source))
            with timed(seconds, "generator"):
                converted = converter.push(source.read(start, stop), f0_hz[start:stop])
            yield converted
            report(stop / len(source))
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


def _set_levels(
    converted: SpooledFrames,
    source: SpooledFrames,
    analysis: Analysis,
    spec: MelSpec,
    background: Background,
) -> Rendered:
    """Return the waveform with the input's dynamics and quiet pauses."""
    output_power = measure_power(read_steady(converted, spec), spec)
    frame_rate, speech = spec.frame_rate, analysis.speech
    gain_db = follow_level(analysis.power, output_power, speech, frame_rate)
    followed = output_power * 10 ** (gain_db / 10)
    pause_gain_db = find_pause_gain_db(analysis.power, followed, speech, frame_rate)
    is_kept = background == "keep"
    return Rendered(
        waveform=converted,
        sample_rate=spec.sample_rate,
        hop_length=spec.hop_length,
        gain_db=gain_db + pause_gain_db,
        background=source if is_kept else None,
        background_gain_db=np.where(speech, SILENT_DB, 0.0) if is_kept else None,
    )


def _choose_stats(sums: FrameSums, voice: Voice, options: Options, notes: list[str]) -> DomainStats:
    """Return the source's statistics; appends a note where the voice expects another speaker."""
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
    f0_hz: NDArray[np.float32],
    source_stats: DomainStats,
    voice: Voice,
    pitch: Pitch,
    notes: list[str],
) -> NDArray[np.float32]:
    """Return the F0 that is asked for; appends notes on what the excitation cannot do."""
    voiced_hz = f0_hz[f0_hz > 0]
    outside = voiced_hz > F0_MAX_HZ
    if voiced_hz.size and outside.mean() > MAX_OUTSIDE_SHARE:
        notes.append(
            f"{outside.mean():.0%} of the voice is above {F0_MAX_HZ:.0f} Hz, where pitch cannot be "
            "followed"
        )
    if pitch == "keep":
        return limit_f0(f0_hz)
    if is_song := pitch != "sing" and is_sung(f0_hz, voice.spec.frame_rate):
        notes.append("the pitch holds notes far apart, as in singing: their intervals are kept")
    shift_semitones = 0.0 if isinstance(pitch, str) else float(pitch)
    keeps_intervals = is_song or pitch == "sing"
    wanted_hz = transform_f0(
        f0_hz, source_stats, voice.target_stats, shift_semitones, keeps_intervals
    )
    for limit_hz, place in ((F0_MIN_HZ, "below"), (F0_MAX_HZ, "above")):
        held = (wanted_hz[f0_hz > 0] == limit_hz).sum() / max(1, voiced_hz.size)
        if shift_semitones and held > MAX_OUTSIDE_SHARE:
            asked = f"{held:.0%} of the voice would be {place} {limit_hz:.0f} Hz"
            notes.append(f"{asked} at this pitch and is held there")
    return wanted_hz
