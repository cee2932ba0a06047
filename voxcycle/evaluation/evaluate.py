"""Evaluation of a voice: rows, judges and report put together."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from voxcycle.conversion.offline import convert_waveform
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.judges import METRICS, Judges
from voxcycle.evaluation.report import UtteranceScores, describe_machine, write_json
from voxcycle.evaluation.rows import Speaker, Wave, count_utterances, standard_rows
from voxcycle.evaluation.scoring import score_rows
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.voice import Voice, read_header

REFERENCE_VOCODER = "hifigan"  # of the row "copy synthesis", whatever the voice is rendered by


@dataclass(frozen=True)
class Evaluation:
    """What was evaluated, by what, and every score."""

    about: dict[str, Any]
    scores: list[UtteranceScores]

    def save(self, path: Path) -> None:
        """Write the evaluation as JSON."""
        write_json(path, self.scores, self.about)


def evaluate_voice(
    voice: Voice,
    sources: tuple[Speaker, ...],
    target: Speaker,
    vocoder: str = "hifigan",
    metrics: tuple[str, ...] = METRICS,
    cache_dir: Path | None = None,
    on_scored: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score the rows unconverted, copy synthesis of the target, and the voice.

    Args:
        voice: the voice to be measured.
        sources: whose sentences are converted.
        target: the speaker of the voice, with sentences of his or her own.
        vocoder: what renders the voice; copy synthesis always goes through HiFi-GAN universal.
        metrics: of `METRICS`.
        cache_dir: where scores of audio heard before are kept; None remembers nothing.
        on_scored: called with (utterances done, utterances in all) after each.
    """
    started = time.perf_counter()
    cache = ContentCache(cache_dir)

    def convert(recording: Wave, sample_rate: int) -> Wave:
        return convert_waveform(recording, sample_rate, voice, vocoder=renderer).waveform

    renderer = load_vocoder(vocoder, voice.spec)
    reference_vocoder = load_vocoder(REFERENCE_VOCODER, voice.spec)
    rows = standard_rows(voice, convert, reference_vocoder, sources, target, cache)
    n_utterances = count_utterances(rows)
    scores = []
    for result in score_rows(rows, target, Judges(metrics, cache), voice.spec):
        scores.append(result)
        if on_scored:
            on_scored(len(scores), n_utterances)
    about = {
        "voice": voice.card.name,
        "voice_sha256": read_header(voice.path)["sha256"] if voice.path else None,
        "training": voice.card.training,
        "vocoder": vocoder,
        "target": target.name,
        "metrics": list(metrics),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_s": round(time.perf_counter() - started, 1),
        "machine": describe_machine(),
    }
    return Evaluation(about, scores)


def default_cache_dir() -> Path:
    """Return the folder under the user's cache where scores are kept."""
    return Path(platformdirs.user_cache_dir("voxcycle")) / "evaluation"
