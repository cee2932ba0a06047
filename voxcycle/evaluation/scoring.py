"""Every utterance of every row before every judge."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.io import FileSource
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.pitch import extract_f0, import_pyworld
from voxcycle.audio.resample import resample
from voxcycle.evaluation.distance import Alignment, align, modulation_distance
from voxcycle.evaluation.extra import JUDGE_RATE
from voxcycle.evaluation.judges import Judges
from voxcycle.evaluation.pitch import PitchErrors, compare_f0
from voxcycle.evaluation.rows import TARGET, UNCONVERTED, Row, Sentence, Speaker, Wave
from voxcycle.evaluation.scores import UtteranceScores, finite
from voxcycle.evaluation.similarity import centroid, cosine
from voxcycle.evaluation.words import character_errors, word_errors

T = TypeVar("T")
MAX_UNCONVERTED_CER = 0.3
GROUP = 8  # utterances rendered before they are judged


class Rendered(NamedTuple):
    """A sentence of a row and its audio (T,), or why there is none."""

    row: Row
    speaker: Speaker
    sentence: Sentence
    recording: Wave
    audio: Wave | None
    sample_rate: int
    failure: str = ""


class Scored(NamedTuple):
    """An utterance's scores and its audio (T,); no audio where it could not be rendered."""

    scores: UtteranceScores
    audio: Wave | None
    sample_rate: int


def score_rows(
    rows: Sequence[Row], target: Speaker | None, judges: Judges, spec: MelSpec
) -> Iterator[Scored]:
    """Yield the scores of every sentence of every row, `count_utterances(rows)` in all.

    Nothing is dropped: what cannot be rendered or scored comes with its reason in `failures`.
    Without a target, no similarity to it and no distance from it is scored. Utterances are rendered
    with all of PyTorch's threads and nothing beside, so that their cost can be measured, and judged
    side by side with one thread each.
    """
    scorer = _Scorer(target, judges, spec)
    import_pyworld()  # here and once, not by whichever thread is the first
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        with _one_thread_each():
            scorer.hear_references(pool, [s for row in rows for s in row.speakers])
        for row in rows:
            spoken = [(speaker, s) for speaker in row.speakers for s in speaker.sentences]
            for start in range(0, len(spoken), GROUP):
                rendered = [scorer.render(row, *pair) for pair in spoken[start : start + GROUP]]
                with _one_thread_each():
                    scored = list(pool.map(scorer.judge, rendered))
                yield from scored


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let threads that begin meanwhile, and this one, compute with one thread of PyTorch's."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def leave_out_unheard(
    scores: Sequence[UtteranceScores], speakers: Collection[str]
) -> list[UtteranceScores]:
    """Drop the word errors of sentences whose recording the recogniser itself does not follow.

    Those with a character error rate of 0.3 or more in the recording, in every row: for speakers of
    languages that the recogniser knows badly. The sentences keep their other scores.
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
        replace(s, words=None, characters=None) if (s.speaker, s.sentence) in unheard else s
        for s in scores
    ]


class _Scorer:
    """Renders and judges utterances; what is known of references is computed once."""

    def __init__(self, target: Speaker | None, judges: Judges, spec: MelSpec) -> None:
        self.target = target
        self.judges = judges
        self.spec = spec
        self._embeddings: dict[Path, Wave | None] = {}
        self._target_modulations: dict[Path, NDArray[np.float64]] = {}
        self._aligning = Lock()  # a minute with a minute takes 3 GB: one pair at a time

    def hear_references(self, pool: ThreadPoolExecutor, speakers: Sequence[Speaker]) -> None:
        """Analyse the recordings that others are compared with; those of no use are left out."""
        target = [self.target] if self.target else []
        if "similarity" in self.judges.metrics:
            paths = {r.path: None for speaker in (*speakers, *target) for r in speaker.references}
            embeddings = pool.map(_or_none(self._embed), paths)
            self._embeddings = dict(zip(paths, embeddings, strict=True))
        if "distance" in self.judges.metrics:
            paths = {r.path: None for speaker in target for r in speaker.references}
            spectra = pool.map(_or_none(self._measure_modulation), paths)
            found = zip(paths, spectra, strict=True)
            self._target_modulations = {path: x for path, x in found if x is not None}

    def render(self, row: Row, speaker: Speaker, sentence: Sentence) -> Rendered:
        """Make a sentence's audio."""
        sample_rate, recording = 0, np.zeros(0, np.float32)
        try:
            recording, sample_rate = _read(sentence.path)
            audio = row.render(recording, sample_rate)
            _require_sound(audio, is_output=audio is not recording)
        except (ValueError, RuntimeError) as error:
            return Rendered(row, speaker, sentence, recording, None, sample_rate, str(error))
        return Rendered(row, speaker, sentence, recording, audio, sample_rate)

    def judge(self, rendered: Rendered) -> Scored:
        """Put an utterance before every judge."""
        row, speaker, sentence, recording, audio, sample_rate, failure = rendered
        failures: list[str] = []

        def attempt(metric: str, judge: Callable[[], T]) -> T | None:
            if metric not in self.judges.metrics:
                return None
            try:
                result = judge()
                if isinstance(result, float) and not np.isfinite(result):
                    raise ValueError(f"the judge answered {result}")
                return result
            except ValueError as error:
                failures.append(f"{metric}: {error}")
                return None

        if audio is None:
            reason = (f"rendering: {failure}",)
            empty = UtteranceScores(row.name, speaker.name, sentence.name, failures=reason)
            return Scored(empty, None, sample_rate)
        speech = _to_judge_rate(audio, sample_rate)
        own = attempt("similarity", lambda: self.judges.embed(speech))
        to_target = to_source = None
        if own is not None:
            to_target = attempt("similarity", lambda: self._similarity(own, self.target, sentence))
            if speaker is not self.target:
                to_source = attempt("similarity", lambda: self._similarity(own, speaker, sentence))
        transcript = attempt("words", lambda: self.judges.transcribe(speech, speaker.language))
        text = sentence.text
        knows = self.judges.knows(speaker.language)
        if text is None and audio is not recording and knows:
            original = _to_judge_rate(recording, sample_rate)
            text = attempt("words", lambda: self._hear_source(original, speaker.language))
        heard = transcript or ""  # where nothing is heard, every word is lost
        has_words = "words" in self.judges.metrics and text is not None
        distillmos = attempt("distillmos", lambda: self.judges.score_distillmos(speech))
        dnsmos = attempt("dnsmos", lambda: self.judges.score_dnsmos(speech))
        pitch = attempt("pitch", lambda: self._pitch(row, recording, audio, sample_rate))
        modulation_db = alignment = None
        if self.target is not None:
            modulation_db = attempt(
                "distance", lambda: self._modulation(audio, sample_rate, sentence)
            )
        if sentence.parallel is not None:
            alignment = attempt("distance", lambda: self._align(audio, sample_rate, sentence))
        scores = UtteranceScores(
            row=row.name,
            speaker=speaker.name,
            sentence=sentence.name,
            duration_s=len(audio) / sample_rate,
            secs_target=to_target,
            secs_source=to_source,
            words=word_errors(text or "", heard) if has_words else None,
            characters=character_errors(text or "", heard) if has_words else None,
            transcript=transcript,
            distillmos=distillmos,
            dnsmos=dnsmos,
            pitch=pitch,
            modulation_db=modulation_db,
            mcd_db=alignment and alignment.mcd_db,
            parallel_f0_rmse_semitones=alignment and finite(alignment.f0_rmse_semitones),
            parallel_f0_correlation=alignment and finite(alignment.f0_correlation),
            failures=tuple(failures),
        )
        return Scored(scores, audio, sample_rate)

    def _modulation(self, audio: Wave, sample_rate: int, sentence: Sentence) -> float:
        others = [x for path, x in self._target_modulations.items() if path != sentence.path]
        if not others:
            raise ValueError("no other recording of the target is long enough to compare with")
        spectrum = self.judges.modulation_spectrum(audio, sample_rate)
        return modulation_distance(spectrum, np.mean(others, axis=0))

    def _measure_modulation(self, path: Path) -> NDArray[np.float64]:
        return self.judges.modulation_spectrum(*_read(path))

    def _align(self, audio: Wave, sample_rate: int, sentence: Sentence) -> Alignment:
        assert sentence.parallel is not None
        target = self.judges.extract_cepstra(*_read(sentence.parallel))
        own = self.judges.extract_cepstra(audio, sample_rate)
        with self._aligning:
            return align(own, target)

    def _similarity(self, own: Wave, speaker: Speaker | None, sentence: Sentence) -> float | None:
        return None if speaker is None else cosine(own, self._centroid(speaker, sentence))

    def _centroid(self, speaker: Speaker, sentence: Sentence) -> Wave:
        embeddings = [
            self._embeddings[reference.path]
            for reference in speaker.references
            if reference.path != sentence.path and reference.name != sentence.name
        ]
        known = [embedding for embedding in embeddings if embedding is not None]
        if not known:
            raise ValueError(f"no other usable recording of {speaker.name} to compare with")
        return centroid(known)

    def _embed(self, path: Path) -> Wave:
        return self.judges.embed(_to_judge_rate(*_read(path)))

    def _hear_source(self, recording: Wave, language: str) -> str:
        try:
            return self.judges.transcribe(recording, language)
        except ValueError as error:
            raise ValueError(f"in the source, {error}") from None

    def _pitch(self, row: Row, recording: Wave, audio: Wave, sample_rate: int) -> PitchErrors:
        requested = row.request(resample(recording, sample_rate, self.spec.sample_rate))
        measured = extract_f0(resample(audio, sample_rate, self.spec.sample_rate), self.spec)
        errors = compare_f0(requested, measured)
        if not errors.n_both:
            raise ValueError("no frame is voiced in both the request and the output")
        return errors


def _or_none(function: Callable[[Path], T]) -> Callable[[Path], T | None]:
    """Return the function with None for ValueError: too short or silent a reference is no use."""

    def attempt(path: Path) -> T | None:
        try:
            return function(path)
        except ValueError:
            return None

    return attempt


def _read(path: Path) -> tuple[Wave, int]:
    source = FileSource(path)
    return load_mono(path, source.sample_rate), source.sample_rate


def _require_sound(audio: Wave, is_output: bool) -> None:
    """Refuse what no judge can hear; recordings, unlike outputs, may exceed full scale."""
    if not np.isfinite(audio).all():
        raise ValueError("the output holds NaN or infinity")
    peak = float(np.abs(audio).max(initial=0.0))
    if not peak or (is_output and peak > 1):
        raise ValueError(f"the output's peak is {peak:.3f}, not within 0 and full scale")


def _to_judge_rate(audio: Wave, sample_rate: int) -> Wave:
    speech = resample(audio, sample_rate, JUDGE_RATE)
    # Resampling may overshoot by a few per cent; the judges want no more than full scale.
    return (speech / max(1.0, float(np.abs(speech).max(initial=0.0)))).astype(np.float32)
