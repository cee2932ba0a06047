"""What the report shows of each utterance of a voice: scores, texts, players and pictures."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.evaluation.report.pictures import draw_mel, draw_player
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.score import Scored
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import MEASURES
from voxcycle.evaluation.systems import (
    DSP_BASELINE,
    TARGET,
    UNCONVERTED,
    Speaker,
    Wave,
    system_name,
)
from voxcycle.voices.voice import Voice

MAX_WITH_BASELINE = 40  # utterances; with more, its players would make the file too large


class Utterance(NamedTuple):
    """A converted sentence as the page shows it; players and pictures are HTML.

    Attributes:
        said: the text, or the transcript of the source.
        heard: transcripts of "source" and "converted".
        pictures: none of recordings shorter than a frame.
    """

    scores: UtteranceScores
    said: str
    heard: dict[str, str]
    players: list[Markup]
    pictures: list[Markup]


class Column(NamedTuple):
    """A column of the table: text, or a number and how it is printed."""

    heading: str
    form: str
    value: Callable[[UtteranceScores], float | str | None]


def list_columns(scores: list[UtteranceScores]) -> list[Column]:
    """Return the columns that some utterance fills."""
    columns = [
        Column("sentence", "text", lambda s: s.sentence),
        Column("speaker", "text", lambda s: s.speaker),
        Column("failed", "text", lambda s: len(s.failures) or None),
        Column("composite", "3", lambda s: s.composite),
        *(
            Column(measure.heading, measure.form, measure.value)
            for name, measure in MEASURES.items()
            if name != "nearer_target"
        ),
        Column("seconds", "1", lambda s: s.duration_s),
    ]
    return [c for c in columns if any(c.value(s) is not None for s in scores)]


def collect_utterances(
    evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice
) -> list[Utterance]:
    """Return the voice's utterances, the worst by composite first."""
    systems: defaultdict[str, list[Scored]] = defaultdict(list)
    for scores, scored in zip(evaluation.scores, evaluation.audio, strict=True):
        systems[scores.row].append(scored._replace(scores=scores))
    sentences = [sentence for speaker in sources for sentence in speaker.sentences]
    targets = [s for s in systems[TARGET] if s.audio is not None]
    with_baseline = len(sentences) <= MAX_WITH_BASELINE
    target_name = evaluation.about.get("target") or ""
    spec, log_mel = voice.spec, LogMel(voice.spec)

    def wave(scored: Scored) -> Wave | None:
        # The rate of the mel analysis is one that MP3 has; a source's own rate may not be.
        if scored.audio is None:
            return None
        return resample(scored.audio, scored.sample_rate, spec.sample_rate)

    def read(path: Path) -> Wave | None:
        try:
            return load_mono(path, spec.sample_rate)
        except ValueError:  # listed among the failures of the utterance
            return None

    def show(i: int) -> Utterance:
        sentence, source = sentences[i], systems[UNCONVERTED][i]
        converted = systems[system_name(voice)][i]
        scores, f0_hz = converted.scores, converted.requested_f0
        # Labels, audio, and F0 to draw beside the measured one; None: not drawn.
        recordings: list[tuple[str, Wave | None, dict[str, Wave] | None]] = [
            (f"source: {scores.speaker}", wave(source), {}),
            (
                f"converted: {voice.card.name}",
                wave(converted),
                {} if f0_hz is None else {"requested": f0_hz},
            ),
        ]
        if sentence.parallel is not None:
            label = f"target: {target_name}, the same sentence"
            recordings.append((label, read(sentence.parallel), {}))
        elif targets:
            other = targets[i % len(targets)]
            label = f"target: {target_name}, another sentence ({other.scores.sentence})"
            recordings.append((label, wave(other), None))
        if with_baseline:
            recordings.append((DSP_BASELINE, wave(systems[DSP_BASELINE][i]), None))
        heard = {"source": source.scores.transcript, "converted": scores.transcript}
        audible = [(label, x, contours) for label, x, contours in recordings if x is not None]
        drawn = [
            (label, x, contours | {"measured": extract_f0(x, spec)})
            for label, x, contours in audible
            if contours is not None and len(x) >= spec.hop_length
        ]
        longest = max((len(x) for _, x, _ in drawn), default=1)
        return Utterance(
            scores,
            sentence.text or source.scores.transcript or "no text known",
            heard={kind: transcript for kind, transcript in heard.items() if transcript},
            players=[Markup(draw_player(x, spec.sample_rate, label)) for label, x, _ in audible],
            pictures=[
                Markup(draw_mel(x, contours, log_mel, label, share=len(x) / longest))
                for label, x, contours in drawn
            ],
        )

    def badness(utterance: Utterance) -> float:
        composite = utterance.scores.composite
        return np.inf if composite is None else composite

    return sorted(map(show, range(len(sentences))), key=badness)
