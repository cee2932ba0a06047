"""Scores of every utterance of every system."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.io import FileSource
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.audio.world import import_pyworld
from voxcycle.conversion.options import Conversion
from voxcycle.evaluation.metrics.all_metrics import Evaluator
from voxcycle.evaluation.metrics.asr import character_errors, word_errors
from voxcycle.evaluation.metrics.distance import Alignment, align, modulation_distance
from voxcycle.evaluation.metrics.pitch import PitchErrors, compare_f0
from voxcycle.evaluation.metrics.similarity import centroid, cosine
from voxcycle.evaluation.optional_deps import METRIC_RATE
from voxcycle.evaluation.stats.scores import UtteranceScores, finite
from voxcycle.evaluation.systems import Sentence, Speaker, System, Wave

T = TypeVar("T")
GROUP = 8  # utterances rendered before they are scored


class Rendered(NamedTuple):
    """A sentence rendered by a system, and its audio (T,), or why there is none."""

    system: System
    speaker: Speaker
    sentence: Sentence
    recording: Wave = np.zeros(0, np.float32)
    audio: Wave | None = None
    sample_rate: int = 0
    failure: str = ""
    requested_f0: Wave | None = None  # of a conversion


class Reference(NamedTuple):
    """The words that an utterance is compared with, and their kind: "text" or "source"."""

    kind: str
    text: str


class Scored(NamedTuple):
    """An utterance's scores and its audio (T,); no audio where it could not be rendered."""

    scores: UtteranceScores
    audio: Wave | None
    sample_rate: int
    requested_f0: Wave | None = None  # of a conversion, (F,)


def score_systems(
    systems: Sequence[System], target: Speaker | None, evaluator: Evaluator, spec: MelSpec
) -> Iterator[Scored]:
    """Yield the scores of every sentence of every system, `count_utterances(systems)` in all.

    Nothing is dropped: sentences that cannot be rendered or scored give the reason in `failures`.
    Without a target, no similarity to it and no distance from it is scored. Utterances are rendered
    with all of PyTorch's threads and nothing else, so that their cost can be measured, and scored
    side by side with one thread each.
    """
    scorer = _Scorer(target, evaluator, spec)
    import_pyworld()  # once, before the threads start
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        with _one_thread_each():
            scorer.analyse_references(pool, [s for system in systems for s in system.speakers])
        for system in systems:
            spoken = [(speaker, s) for speaker in system.speakers for s in speaker.sentences]
            for start in range(0, len(spoken), GROUP):
                rendered = [scorer.render(system, *pair) for pair in spoken[start : start + GROUP]]
                with _one_thread_each():
                    scored = list(pool.map(scorer.score, rendered))
                yield from scored


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Use one PyTorch thread here and in threads that start meanwhile."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


class _Scorer:
    """Renders and scores utterances; references are analysed once, unusable ones are skipped."""

    def __init__(self, target: Speaker | None, evaluator: Evaluator, spec: MelSpec) -> None:
        self.target = target
        self.evaluator = evaluator
        self.spec = spec
        self._embeddings: dict[Path, Wave] = {}
        self._target_modulations: dict[Path, NDArray[np.float64]] = {}
        self._aligning = Lock()  # one pair of a minute each takes 3 GB

    def analyse_references(self, pool: ThreadPoolExecutor, speakers: Sequence[Speaker]) -> None:
        """Analyse the reference recordings of the speakers and of the target."""

        def analyse(of: Sequence[Speaker], function: Callable[..., T]) -> dict[Path, T]:
            def attempt(path: Path) -> T | None:
                try:
                    return function(*_read(path))
                except (ValueError, RuntimeError):
                    return None

            paths = dict.fromkeys(r.path for speaker in of for r in speaker.references)
            found = zip(paths, pool.map(attempt, paths), strict=True)
            return {path: result for path, result in found if result is not None}

        def embed(audio: Wave, sample_rate: int) -> Wave:
            return self.evaluator.embed(_to_metric_rate(audio, sample_rate))

        target = [self.target] if self.target else []
        if "similarity" in self.evaluator.metrics:
            self._embeddings = analyse([*speakers, *target], embed)
        if "distance" in self.evaluator.metrics:
            self._target_modulations = analyse(target, self.evaluator.modulation_spectrum)

    def render(self, system: System, speaker: Speaker, sentence: Sentence) -> Rendered:
        """Make a sentence's audio."""
        rendered = Rendered(system, speaker, sentence)
        try:
            recording, sample_rate = _read(sentence.path)
            rendered = rendered._replace(recording=recording, sample_rate=sample_rate)
            made = system.render(recording, sample_rate)
            audio, f0_hz = (
                (made.waveform, made.f0_hz) if isinstance(made, Conversion) else (made, None)
            )
            _require_sound(audio, is_output=audio is not recording)
        except (ValueError, RuntimeError) as error:
            return rendered._replace(failure=str(error))
        return rendered._replace(audio=audio, requested_f0=f0_hz)

    def score(self, rendered: Rendered) -> Scored:
        """Score an utterance by every metric."""
        system, speaker, sentence, recording, audio, sample_rate, failure, f0_hz = rendered
        failures: list[str] = []

        def attempt(metric: str, compute: Callable[[], T]) -> T | None:
            if metric not in self.evaluator.metrics:
                return None
            try:
                result = compute()
                if isinstance(result, float) and not np.isfinite(result):
                    raise ValueError(f"the metric returned {result}")
                return result
            except (ValueError, RuntimeError) as error:  # RuntimeError: a network failed
                failures.append(f"{metric}: {error}")
                return None

        reference = attempt("words", lambda: self._words_reference(rendered))
        scores = UtteranceScores(
            row=system.name,
            speaker=speaker.name,
            sentence=sentence.name,
            recording_sha256=_hash_file(sentence.path),
            pitch=attempt("pitch", lambda: self._pitch(rendered)),
        )
        if audio is None:
            lost = _count_words(scores, reference, "")
            reason = (f"rendering: {failure}",)
            return Scored(replace(lost, failures=reason), None, sample_rate)
        if scores.pitch is not None and not scores.pitch.n_both:
            failures.append("pitch: no frame is voiced in both the request and the output")
        speech = _to_metric_rate(audio, sample_rate)
        own = attempt("similarity", lambda: self.evaluator.embed(speech))
        to_target = to_source = modulation_db = alignment = None
        if own is not None and self.target is not None:
            target = self.target
            to_target = attempt("similarity", lambda: self._similarity(own, target, sentence))
        if own is not None and speaker is not self.target:
            to_source = attempt("similarity", lambda: self._similarity(own, speaker, sentence))
        transcript = attempt("words", lambda: self._hear(speech, speaker.language, reference))
        if self.target is not None:
            others = _other_paths(self.target, sentence)
            modulation_db = attempt(
                "distance", lambda: self._modulation(audio, sample_rate, others)
            )
        partner = sentence.path if system.pairs_itself else sentence.parallel
        if partner is not None:
            alignment = attempt("distance", lambda: self._align(audio, sample_rate, partner))
        scores = replace(
            _count_words(scores, reference, transcript or ""),
            duration_s=len(audio) / sample_rate,
            secs_target=to_target,
            secs_source=to_source,
            transcript=transcript,
            distillmos=attempt("distillmos", lambda: self.evaluator.score_distillmos(speech)),
            dnsmos=attempt("dnsmos", lambda: self.evaluator.score_dnsmos(speech)),
            modulation_db=modulation_db,
            mcd_db=alignment and alignment.mcd_db,
            parallel_f0_rmse_semitones=alignment and finite(alignment.f0_rmse_semitones),
            parallel_f0_correlation=alignment and finite(alignment.f0_correlation),
        )
        scores = replace(scores, failures=tuple(failures))
        return Scored(scores, audio, sample_rate, f0_hz)

    def _words_reference(self, rendered: Rendered) -> Reference | None:
        system, speaker, sentence, recording, audio, sample_rate, *_ = rendered
        if system.has_texts:
            return Reference("text", sentence.text) if sentence.text else None
        if audio is recording or not len(recording) or not self.evaluator.knows(speaker.language):
            return None
        try:
            original = _to_metric_rate(recording, sample_rate)
            return Reference("source", self.evaluator.transcribe(original, speaker.language))
        except ValueError as error:
            raise ValueError(f"in the source, {error}") from None

    def _hear(self, speech: Wave, language: str, reference: Reference | None) -> str | None:
        """Return the transcript; None in a language that the recogniser was not made for.

        With a text it is transcribed anyway: it counts if the recogniser can follow the recording
        (see `evaluate_voice`).
        """
        is_known = reference is not None or self.evaluator.knows(language)
        return self.evaluator.transcribe(speech, language) if is_known else None

    def _modulation(self, audio: Wave, sample_rate: int, others: Sequence[Path]) -> float:
        known = [self._target_modulations[p] for p in others if p in self._target_modulations]
        if not known:
            raise ValueError("no other recording of the target is long enough to compare with")
        spectrum = self.evaluator.modulation_spectrum(audio, sample_rate)
        return modulation_distance(spectrum, np.mean(known, axis=0))

    def _align(self, audio: Wave, sample_rate: int, partner: Path) -> Alignment:
        target = self.evaluator.extract_cepstra(*_read(partner))
        own = self.evaluator.extract_cepstra(audio, sample_rate)
        with self._aligning:
            return align(own, target)

    def _similarity(self, own: Wave, speaker: Speaker, sentence: Sentence) -> float:
        others = _other_paths(speaker, sentence)
        known = [self._embeddings[path] for path in others if path in self._embeddings]
        if not known:
            raise ValueError(f"no other usable recording of {speaker.name} to compare with")
        return cosine(own, centroid(known))

    def _pitch(self, rendered: Rendered) -> PitchErrors | None:
        system, _, _, recording, audio, sample_rate, _, requested = rendered
        if not len(recording):
            return None
        if requested is None:
            requested = system.request(resample(recording, sample_rate, self.spec.sample_rate))
        if audio is None:
            return compare_f0(requested, np.zeros_like(requested))
        measured = extract_f0(resample(audio, sample_rate, self.spec.sample_rate), self.spec)
        return compare_f0(requested, measured)


def _count_words(
    scores: UtteranceScores, reference: Reference | None, heard: str
) -> UtteranceScores:
    """Return the scores with their errors of words and characters; in silence all are lost."""
    if reference is None:
        return scores
    return replace(
        scores,
        words_reference=reference.kind,
        words=word_errors(reference.text, heard),
        characters=character_errors(reference.text, heard),
    )


def _other_paths(speaker: Speaker, sentence: Sentence) -> list[Path]:
    """Return a speaker's references without the scored sentence itself."""
    return [
        reference.path
        for reference in speaker.references
        if reference.path != sentence.path and reference.name != sentence.name
    ]


def _hash_file(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    except OSError:
        return None


def _read(path: Path) -> tuple[Wave, int]:
    try:
        source = FileSource(path)
        return load_mono(path, source.sample_rate), source.sample_rate
    except ValueError as error:  # a report names files without their folders
        raise ValueError(str(error).replace(str(path), path.name)) from error


def _require_sound(audio: Wave, is_output: bool) -> None:
    """Refuse what no metric can score; recordings, unlike outputs, may exceed full scale."""
    if not np.isfinite(audio).all():
        raise ValueError("the output holds NaN or infinity")
    peak = float(np.abs(audio).max(initial=0.0))
    if not peak or (is_output and peak > 1):
        raise ValueError(f"the output's peak is {peak:.3f}, not within 0 and full scale")


def _to_metric_rate(audio: Wave, sample_rate: int) -> Wave:
    speech = resample(audio, sample_rate, METRIC_RATE)
    # Resampling may overshoot by a few per cent; the metrics want no more than full scale.
    return (speech / max(1.0, float(np.abs(speech).max(initial=0.0)))).astype(np.float32)
