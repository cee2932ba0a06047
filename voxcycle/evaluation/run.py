"""Evaluation of a voice: systems, metrics and cost."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import soundfile

import voxcycle
from voxcycle.artifacts import VOICE, read_header
from voxcycle.conversion import pipeline
from voxcycle.conversion.options import Conversion
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.metrics.all_metrics import METRICS, Evaluator
from voxcycle.evaluation.metrics.asr import DEFAULT_MODEL
from voxcycle.evaluation.optional_deps import is_metric_imported
from voxcycle.evaluation.score import Scored, score_systems
from voxcycle.evaluation.stats.cost import describe_machine, peak_memory_mb, summarize_cost
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import Summary, summarize
from voxcycle.evaluation.systems import (
    STANDARD_SYSTEMS,
    TARGET,
    UNCONVERTED,
    Speaker,
    Wave,
    count_utterances,
    standard_systems,
)
from voxcycle.files import replacing
from voxcycle.vocoders.registry import DEFAULT_VOCODER, load_vocoder
from voxcycle.voices.voice import Voice

FORMAT = 3  # of metrics.json
READABLE_FORMATS = (2, 3)  # 2 names neither recordings nor the words' reference
REFERENCE_VOCODER = "hifigan"  # of "copy synthesis", whatever the voice is rendered by
MAX_UNCONVERTED_CER = 0.3
PACKAGED_ASR = "packaged Whisper base"
WORDS_REFERENCES = {"text": "the text", "source": "the recogniser's transcript of the recording"}


@dataclass(frozen=True)
class Evaluation:
    """An evaluation: its settings in plain values, every score, and the audio if it was kept."""

    about: dict[str, Any]
    scores: list[UtteranceScores]
    audio: list[Scored] = field(default_factory=list)

    def summary(self) -> list[Summary]:
        """Return the means per system and speaker."""
        genuine = [s.secs_target for s in self.scores if s.row == TARGET]
        return summarize(self.scores, [value for value in genuine if value is not None])

    def notes(self) -> list[str]:
        """Return the notes on the numbers, one phrase each."""
        return find_notes(self.scores, self.about.get("metrics", ()))

    def save(self, path: Path) -> None:
        """Write everything but the audio as JSON; the file appears when it is complete."""
        document = {
            "format": FORMAT,
            "about": _finite(self.about),
            "summary": [line.to_dict() for line in self.summary()],
            "utterances": [s.to_dict() for s in self.scores],
        }
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Evaluation":
        """Read what `save` wrote; ValueError names a file that is missing or something else."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] not in READABLE_FORMATS:
                known = " and ".join(map(str, READABLE_FORMATS))
                raise ValueError(f"format {document['format']}, this version reads {known}")
            scores = [UtteranceScores.from_dict(values) for values in document["utterances"]]
            return cls(dict(document["about"]), scores)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ValueError(f"{path}: {reason}; name the metrics.json of an evaluation") from None
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{path}: not a metrics.json of voxcycle evaluate ({error}); evaluate again"
            ) from error


def evaluate_voice(
    voice: Voice,
    sources: tuple[Speaker, ...],
    target: Speaker | None = None,
    vocoder: str = DEFAULT_VOCODER,
    metrics: tuple[str, ...] = METRICS,
    asr: str = DEFAULT_MODEL,
    cache_dir: Path | None = None,
    keep_audio: bool = False,
    inputs: dict[str, Any] | None = None,
    on_scored: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a voice beside systems to compare it with; see `standard_systems`.

    Args:
        voice: the voice to be measured.
        sources: speakers whose sentences are converted.
        target: the speaker of the voice, with sentences of his or her own.
        vocoder: renders the voice; copy synthesis always uses HiFi-GAN universal.
        metrics: of `METRICS`.
        asr: see `Evaluator`.
        cache_dir: folder that keeps scores of known audio; None keeps nothing.
        keep_audio: whether the result holds every utterance's audio.
        inputs: where the speakers come from, in plain values.
        on_scored: called with (utterances done, utterances in all) after each.

    Raises:
        OSError: the recogniser `asr` is missing.
        VocoderError: the vocoder is missing.
    """
    started = time.perf_counter()
    cache = ContentCache(cache_dir)
    evaluator = Evaluator(metrics, cache, asr)
    renderer = load_vocoder(vocoder, voice.spec)

    seconds: Counter[str] = Counter()  # of computing, by stage
    durations_s: list[float] = []

    def convert(recording: Wave, sample_rate: int) -> Conversion:
        conversion = pipeline.convert(recording, voice, sample_rate=sample_rate, vocoder=renderer)
        seconds.update(conversion.seconds)
        durations_s.append(len(recording) / sample_rate)
        return conversion

    memory_mb = _convert_longest(voice, sources, renderer)
    reference_vocoder = load_vocoder(REFERENCE_VOCODER, voice.spec)
    systems = standard_systems(
        voice, convert, reference_vocoder, sources=sources, target=target, cache=cache
    )
    n_utterances = count_utterances(systems)
    scores, audio = [], []
    for scored in score_systems(systems, target, evaluator, voice.spec):
        scores.append(scored.scores)
        if keep_audio:
            audio.append(scored)
        if on_scored:
            on_scored(len(scores), n_utterances)
    speakers = (*sources, *([target] if target else []))
    languages = {speaker.name: speaker.language for speaker in speakers}
    foreign = {name for name, language in languages.items() if language != "en"}
    scores = drop_unheard(scores, foreign)
    audio = [scored._replace(scores=s) for scored, s in zip(audio, scores, strict=False)]
    about = {
        "voice": voice.card.name,
        "voice_sha256": read_header(voice.path, VOICE)["sha256"] if voice.path else None,
        "second_pass": voice.second_pass,
        "training": voice.card.training,
        "voxcycle": voxcycle.__version__,
        "vocoder": describe_path(renderer.name),
        "inputs": inputs or {},
        "target": target.name if target else None,
        "languages": languages,
        "metrics": list(metrics),
        "asr": PACKAGED_ASR if asr == DEFAULT_MODEL else describe_path(asr),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_s": round(time.perf_counter() - started, 1),
        "cost": summarize_cost(seconds, sum(durations_s, 0.0)) | {"peak_memory_mb": memory_mb},
        "machine": describe_machine(),
    }
    return Evaluation(about, scores, audio)


def drop_unheard(
    scores: Sequence[UtteranceScores], speakers: Collection[str]
) -> list[UtteranceScores]:
    """Drop the word errors of sentences whose recording the recogniser cannot follow.

    A character error rate of 0.3 or more in the recording drops them in every system. This is for
    speakers of languages that the recogniser knows badly. All other scores stay.
    """
    unheard = {
        (s.speaker, s.sentence)
        for s in scores
        if s.speaker in speakers
        and s.row in (UNCONVERTED, TARGET)
        and s.characters is not None
        and not s.characters.rate < MAX_UNCONVERTED_CER
    }
    return [
        replace(s, words=None, characters=None, words_reference=None)
        if (s.speaker, s.sentence) in unheard
        else s
        for s in scores
    ]


def find_notes(scores: Sequence[UtteranceScores], metrics: Collection[str]) -> list[str]:
    """Return a phrase for each reference of the words, and for each row that MCD covers in part."""
    rows: dict[str, list[UtteranceScores]] = {}
    for s in scores:
        rows.setdefault(s.row, []).append(s)
    notes = []
    for kind, meaning in WORDS_REFERENCES.items():
        named = [row for row, own in rows.items() if any(s.words_reference == kind for s in own)]
        if named:
            notes.append(f"words are compared with {meaning}: {', '.join(named)}")
    has_words = any(s.words for s in scores if s.row not in STANDARD_SYSTEMS)
    if "words" in metrics and not has_words:
        notes.append(
            "no words are counted: the recogniser cannot follow the recordings, or there is no "
            "text and it does not know the language"
        )
    coverage: dict[str, list[str]] = {}
    for row, own in rows.items():
        n = sum(s.mcd_db is not None for s in own)
        if 0 < n < len(own):
            coverage.setdefault(f"MCD of {n} of {len(own)} sentences", []).append(row)
    return notes + [f"{note}: {', '.join(named)}" for note, named in coverage.items()]


def describe_path(path: str | Path) -> str:
    """Return a path as a report names it: an absolute one by its last name."""
    return Path(path).name if Path(path).is_absolute() else str(path)


def _convert_longest(voice: Voice, sources: tuple[Speaker, ...], vocoder: Any) -> int | None:
    """Convert the longest source before any metric is loaded; return the process's peak in MB.

    None where an earlier evaluation has loaded metrics: the peak would be theirs.
    """
    is_clean = not is_metric_imported()
    paths = [sentence.path for speaker in sources for sentence in speaker.sentences]
    longest = max(paths, key=_duration_s, default=None)
    if longest is not None:
        # A broken recording is reported when it is scored.
        with suppress(ValueError, OSError, soundfile.LibsndfileError):
            waveform, sample_rate = soundfile.read(longest, dtype="float32")
            pipeline.convert(waveform, voice, sample_rate=sample_rate, vocoder=vocoder)
    return round(peak_memory_mb()) if is_clean else None


def _finite(value: Any) -> Any:
    """Return plain values with None for what JSON cannot hold."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except (OSError, ValueError, soundfile.LibsndfileError):
        return 0.0
