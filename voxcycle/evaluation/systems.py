"""What is compared: speakers, their sentences, and the systems that render them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import voxcycle
from voxcycle.audio.activity import find_activity
from voxcycle.audio.f0 import extract_f0, transform_f0
from voxcycle.audio.level import active_level_db
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.perturb import analyse_world, band_centres_hz
from voxcycle.audio.resample import resample
from voxcycle.audio.stats import DomainStats
from voxcycle.audio.world import ANALYSIS_MS, import_pyworld
from voxcycle.conversion.loudness import PEAK_LIMIT_DB
from voxcycle.conversion.options import Conversion
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.metrics.pitch import requested_f0, source_statistics
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.hifigan import WEIGHTS_PACKAGE
from voxcycle.voices.voice import Voice

Wave = NDArray[np.float32]
# A conversion also says which F0 it was asked for.
Render = Callable[[Wave, int], Wave | Conversion]

UNCONVERTED = "unconverted"
TARGET = "target"
COPY_SYNTHESIS = "copy synthesis"
DSP_BASELINE = "DSP baseline"
STANDARD_SYSTEMS = (UNCONVERTED, TARGET, COPY_SYNTHESIS, DSP_BASELINE)


@dataclass(frozen=True)
class Sentence:
    """One recording, its words, and the target's recording of the same sentence, if known."""

    name: str
    path: Path
    text: str | None = None
    parallel: Path | None = None


@dataclass(frozen=True)
class Speaker:
    """A speaker of the evaluation.

    Attributes:
        language: ISO 639-1 code, for the recogniser.
        sentences: rendered and scored.
        references: behind the speaker's centroid and mean modulation spectrum, without the one that
            has the path or name of the scored sentence.
    """

    name: str
    language: str
    sentences: tuple[Sentence, ...]
    references: tuple[Sentence, ...]


@dataclass(frozen=True)
class System:
    """One way of making audio from recordings; one row of the table per speaker.

    Attributes:
        render: waveform (T,) and its rate to a waveform (T,) of the same rate.
        request: the F0 contour asked for, from the recording at the rate of the mel analysis;
            that of a `Conversion` takes its place.
        pairs_itself: whether MCD compares with the recording itself, not with the parallel one.
    """

    name: str
    speakers: tuple[Speaker, ...]
    render: Render
    request: Callable[[Wave], Wave]
    pairs_itself: bool = False

    @property
    def has_texts(self) -> bool:
        """Whether words are compared with texts, not with the recordings' transcripts."""
        return any(sentence.text for speaker in self.speakers for sentence in speaker.sentences)


def standard_systems(
    voice: Voice,
    convert: Render,
    vocoder: Vocoder,
    sources: tuple[Speaker, ...],
    target: Speaker | None,
    cache: ContentCache,
) -> list[System]:
    """Return the systems of every evaluation.

    Unconverted sources; the target's own recordings and their copy synthesis, if there is a target;
    the DSP baseline; the voice. `convert` is the conversion to be measured, `vocoder` HiFi-GAN
    universal, for the copy synthesis; the cache keeps copy synthesis and baseline.
    """
    request, own = partial(requested_f0, voice=voice), partial(extract_f0, spec=voice.spec)

    def copy(recording: Wave, sample_rate: int) -> Wave:
        return cache.remember(
            f"copy synthesis 2 by {vocoder.name}, {WEIGHTS_PACKAGE} {version(WEIGHTS_PACKAGE)}",
            lambda: copy_synthesis(recording, sample_rate, vocoder),
            str(sample_rate),
            recording,
        )

    def transform(recording: Wave, sample_rate: int) -> Wave:
        return cache.remember(
            f"DSP baseline 4, voxcycle {voxcycle.__version__}, pyworld {version('pyworld')}",
            lambda: convert_dsp(recording, sample_rate, voice),
            str(sample_rate),
            str(voice.is_any_to_one),
            json.dumps(voice.spec.to_dict()),
            json.dumps([voice.source_stats.to_dict(), voice.target_stats.to_dict()]),
            recording,
        )

    def leave(recording: Wave, sample_rate: int) -> Wave:
        return recording

    systems = [System(UNCONVERTED, sources, leave, request)]
    if target is not None:
        # Copy synthesis gives the ceiling of MCD.
        has_parallel = any(s.parallel for speaker in sources for s in speaker.sentences)
        systems += [
            System(TARGET, (target,), leave, own),
            System(COPY_SYNTHESIS, (target,), copy, own, pairs_itself=has_parallel),
        ]
    return [
        *systems,
        System(DSP_BASELINE, sources, transform, request),
        System(system_name(voice), sources, convert, request),
    ]


def system_name(voice: Voice) -> str:
    """Return the name of a voice's system, which differs from every standard one."""
    name = voice.card.name
    return f"voice {name}" if name in STANDARD_SYSTEMS else name


def count_utterances(systems: Sequence[System]) -> int:
    """Return how many utterances the systems have."""
    return sum(len(speaker.sentences) for system in systems for speaker in system.speakers)


def copy_synthesis(recording: Wave, sample_rate: int, vocoder: Vocoder) -> Wave:
    """Return a recording (T,) as its own mels through a vocoder, same rate and length.

    Like a conversion, it is quieter if its peaks would pass full scale.
    """
    spec = vocoder.spec
    waveform = resample(recording, sample_rate, spec.sample_rate)
    rendered = vocoder.decode(LogMel(spec)(waveform), extract_f0(waveform, spec))
    back = resample(rendered, spec.sample_rate, sample_rate)[: len(recording)]
    peak = max(float(np.abs(back).max(initial=0.0)), 1e-9)
    gain = min(1.0, 10 ** (PEAK_LIMIT_DB / 20) / peak)
    return np.pad(back * np.float32(gain), (0, len(recording) - len(back)))


def convert_dsp(recording: Wave, sample_rate: int, voice: Voice) -> Wave:
    """Convert a recording (T,) to a voice's statistics by WORLD; same rate, length and loudness.

    A cheap baseline that any voice must beat. F0 follows the log-Gaussian transform, the spectral
    envelope the difference of both speakers' mean log-mels; aperiodicity stays. The baseline of the
    CycleGAN-VC papers moves mel-cepstral means instead. The source's statistics are the voice's.
    """
    pyworld = import_pyworld()
    spec = voice.spec
    signal = resample(recording, sample_rate, spec.sample_rate)
    source = source_statistics(signal, find_activity(signal, spec), voice)
    speech = analyse_world(signal, spec.sample_rate)
    gain = envelope_gain(source, voice.target_stats, spec, speech.envelope.shape[1])
    f0_hz = transform_f0(speech.f0_hz.astype(np.float32), source, voice.target_stats)
    waveform = pyworld.synthesize(
        f0_hz.astype(np.float64),
        speech.envelope * gain,
        speech.aperiodicity,
        spec.sample_rate,
        frame_period=ANALYSIS_MS,
    ).astype(np.float32)
    waveform = resample(waveform, spec.sample_rate, sample_rate)[: len(recording)]
    waveform = np.pad(waveform, (0, len(recording) - len(waveform)))
    gain_db = active_level_db(recording, sample_rate) - active_level_db(waveform, sample_rate)
    factor = min(10 ** (gain_db / 20), 1 / float(np.abs(waveform).max()))  # full scale at most
    return (waveform * factor).astype(np.float32)


def envelope_gain(
    source: DomainStats, target: DomainStats, spec: MelSpec, n_bins: int
) -> NDArray[np.float64]:
    """Return the factor on each bin of a power envelope (n_bins,) from 0 to half the rate."""
    shift = (target.mel_mean - source.mel_mean).astype(np.float64)  # of ln magnitude
    bins_hz = np.linspace(0, spec.sample_rate / 2, n_bins)
    return np.exp(2 * np.interp(bins_hz, band_centres_hz(spec), shift))
