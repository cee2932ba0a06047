"""What is compared: speakers, their sentences, and the systems that render them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import voxcycle
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel
from voxcycle.audio.resample import resample
from voxcycle.conversion.loudness import PEAK_LIMIT_DB
from voxcycle.conversion.pipeline import Conversion
from voxcycle.evaluation.baseline import convert_dsp
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.metrics.pitch import requested_f0
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
    """One recording.

    Attributes:
        name: of the sentence.
        path: of the recording.
        text: its words, None if unknown.
        parallel: the target's recording of the same sentence, None without one.
    """

    name: str
    path: Path
    text: str | None = None
    parallel: Path | None = None


@dataclass(frozen=True)
class Speaker:
    """A speaker of the evaluation.

    Attributes:
        name: of the speaker.
        language: ISO 639-1 code, for the recogniser.
        sentences: rendered and scored.
        references: recordings behind the speaker's centroid and mean modulation spectrum. A
            reference with the path or name of the scored sentence is skipped, so that no recording
            is compared with itself.
    """

    name: str
    language: str
    sentences: tuple[Sentence, ...]
    references: tuple[Sentence, ...]


@dataclass(frozen=True)
class System:
    """One way of making audio from recordings; one row of the table per speaker.

    Attributes:
        name: its row in the table.
        speakers: their sentences are rendered.
        render: waveform (T,) and its rate to a waveform (T,) of the same rate.
        request: the F0 contour asked for, from the recording at the rate of the mel analysis;
            that of a `Conversion` takes its place.
        pairs_itself: whether the distance is measured to the recording itself, not to the parallel
            one.
    """

    name: str
    speakers: tuple[Speaker, ...]
    render: Render
    request: Callable[[Wave], Wave]
    pairs_itself: bool = False

    @property
    def has_texts(self) -> bool:
        """Whether words are compared with texts, in the sentences that have one.

        Without any text they are compared with the recogniser's transcript of the recordings.
        """
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

    Unconverted sources; the target's own recordings and their copy synthesis, if there is a
    target; the DSP baseline; the voice.

    Args:
        voice: the voice, for its statistics and analysis.
        convert: the conversion to be measured.
        vocoder: HiFi-GAN universal, for the copy synthesis.
        sources: speakers whose sentences are converted.
        target: the speaker of the voice; None without recordings of that speaker.
        cache: keeps copy synthesis and baseline.
    """
    request = partial(requested_f0, voice=voice)

    def own(recording: Wave) -> Wave:
        return extract_f0(recording, voice.spec)

    def copy(recording: Wave, sample_rate: int) -> Wave:
        return cache.remember(
            f"copy synthesis 2 by {vocoder.name}, {WEIGHTS_PACKAGE} {version(WEIGHTS_PACKAGE)}",
            lambda: copy_synthesis(recording, sample_rate, vocoder),
            str(sample_rate),
            recording,
        )

    def transform(recording: Wave, sample_rate: int) -> Wave:
        return cache.remember(
            f"DSP baseline 2, voxcycle {voxcycle.__version__}, pyworld {version('pyworld')}",
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
    f0_hz = torch.from_numpy(extract_f0(waveform, spec))[None]
    with torch.inference_mode():
        log_mel = LogMel(spec)(torch.from_numpy(waveform)[None])
        rendered = vocoder.decode(log_mel, f0_hz)[0].numpy()
    back = resample(rendered, spec.sample_rate, sample_rate)[: len(recording)]
    peak = max(float(np.abs(back).max(initial=0.0)), 1e-9)
    gain = min(1.0, 10 ** (PEAK_LIMIT_DB / 20) / peak)
    return np.pad(back * np.float32(gain), (0, len(recording) - len(back)))
