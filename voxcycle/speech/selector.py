"""Selects the weights that a training exports by conversions of validation recordings.

Evaluated by the functions of `voxcycle evaluate`, on recordings that no step trains on. The score
of a generator is the mean over its utterances of `UtteranceScores.composite`: similarity to the
target, characters that the recogniser hears as in the source, and DistillMOS, in equal parts. Words
count where the recogniser understands the speaker. No metric enters a loss.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.console import Console
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from voxcycle.audio.activity import find_activity
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.io import FileSource
from voxcycle.audio.mel import LogMel
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.audio.stats import sum_frames
from voxcycle.conversion import pipeline
from voxcycle.conversion.options import Conversion
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.dataset import spread
from voxcycle.evaluation.metrics.all_metrics import QUICK_METRICS, Evaluator
from voxcycle.evaluation.metrics.pitch import requested_f0
from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.evaluation.score import Scored, score_systems
from voxcycle.evaluation.systems import Sentence, Speaker, System, Wave, copy_synthesis
from voxcycle.files import replacing
from voxcycle.speech.corpus import Split
from voxcycle.speech.networks import store_generator
from voxcycle.training.state import TrainingState
from voxcycle.vocoders import Vocoder
from voxcycle.voices.generator import Generator
from voxcycle.voices.voice import Voice

N_SENTENCES = 4
N_REFERENCES = 8
EXCERPT_S = 4.0
EVALUATE_EVERY = 2500  # steps: 10 minutes of one thread, for a round of 8 sentences
MAX_SHARE = 0.05  # of the time; a round is skipped while the former ones took more
UNDERSTOOD_CER = 0.3
LOST_WORDS_CER = 0.5
UNKNOWN = "und"  # ISO 639-2 for a language that is not known


@dataclass(frozen=True)
class Candidate:
    """One generator, and the data of its evaluation.

    Attributes:
        network: "g_ab" or "g_ba".
        sources: speakers with the recordings to convert.
        target: the speaker to which they are converted.
        voice: the voice, whose generator is replaced at each evaluation.
        module: the averaged network.
        postprocess: maps the trained generator to that of the voice file.
        postprocessing: its settings; scores are valid only for identical settings.
    """

    network: str
    sources: tuple[Speaker, ...]
    target: Speaker
    voice: Voice
    module: nn.Module
    postprocess: Callable[[Generator], Generator] = lambda generator: generator
    postprocessing: dict[str, float] = field(default_factory=dict)


class CheckpointSelector:
    """Every 2,500 steps: scores the averaged generators and keeps the best of each.

    The best are written to `best-<network>.safetensors` in the run's folder, with step and score,
    so that a resumed training finds them. The rounds do not depend on where a training was
    interrupted. Without the metrics of `[eval]`, F0 and band levels are logged and nothing is kept.
    """

    def __init__(
        self, candidates: Sequence[Candidate], vocoder: Vocoder, folder: Path, console: Console
    ) -> None:
        self.candidates = list(candidates)
        self.vocoder = vocoder
        self.folder = folder
        self.console = console
        metrics = (*QUICK_METRICS, "pitch") if has_metrics() else ("pitch",)
        self.evaluator = Evaluator(metrics, ContentCache(folder / "validation" / "scores"))
        self.is_broken = False
        self.is_tried = not has_metrics()  # whether unknown languages were tried
        self.started = time.monotonic()
        self.seconds = 0.0  # spent on evaluation, in this call

    def __call__(self, module: TrainingState, writer: SummaryWriter | None) -> None:
        """Evaluate the averaged generators if it is due."""
        step = module.steps_done
        is_late = self.seconds > MAX_SHARE * (time.monotonic() - self.started)
        if step % EVALUATE_EVERY or self.is_broken or is_late:
            return
        self._try_languages()
        for candidate in self.candidates:
            generator = store_generator(candidate.module)
            means = self.evaluate(candidate, generator)
            if writer is not None:
                for key, value in means.items():
                    writer.add_scalar(f"valid/{candidate.network}_{key}", value, step)
            if "composite" not in means:
                continue
            best = self._find_best(candidate)
            # Where the best could not be evaluated again, it stays.
            if not self.is_broken and (best is None or best["composite"] <= means["composite"]):
                self._write_best(candidate, generator, means, step)

    def evaluate(self, candidate: Candidate, generator: Generator) -> dict[str, float]:
        """Return the mean scores of a generator; nothing where a metric fails."""
        started = time.monotonic()
        try:
            voice = replace(candidate.voice, generator=candidate.postprocess(generator))
            scored = self._score(replace(candidate, voice=voice))
        except (OSError, ImportError, RuntimeError) as error:
            self.is_broken = True
            text = f"evaluation failed ({error}); the training goes on without it"
            self.console.print(text, soft_wrap=True)
            return {}
        means = summarize_scored(scored)
        means["mel_mean_error"] = _mel_mean_error(scored, candidate.voice)
        self.seconds += time.monotonic() - started
        return means

    def choose(self, step: int) -> dict[str, dict[str, Any]]:
        """Evaluate the last weights and return the step and scores of each generator's best.

        The last weights count for this export alone; where they win, or nothing was evaluated, the
        entry's step is `step`. Prints warnings about what is exported.
        """
        chosen: dict[str, dict[str, Any]] = {}
        self._try_languages()
        for candidate in self.candidates:
            generator = store_generator(candidate.module)
            last = {} if self.is_broken else self.evaluate(candidate, generator)
            best = self._find_best(candidate) if "composite" in last else None
            if best is None or last["composite"] >= best["composite"]:
                best = {k: round(v, 4) for k, v in last.items()} | {"step": step}
            chosen[candidate.network] = best
            for warning in find_warnings(candidate.voice.card.name, best):
                self.console.print(f"warning: {warning}", soft_wrap=True)
        if not has_metrics():
            self.console.print(
                "exporting the last weights without a choice: the extra [eval] (in a clone "
                "`pip install -e '.[eval]'`) selects the best by similarity, words and naturalness",
                soft_wrap=True,
            )
        return chosen

    def _try_languages(self) -> None:
        """Count words of speakers of an unknown language that the recogniser understands; once."""
        if self.is_tried:
            return
        self.is_tried = True
        started = time.monotonic()
        try:
            self.candidates = [
                replace(c, sources=self._understood(c.sources)) for c in self.candidates
            ]
        except (OSError, ImportError, RuntimeError):  # the next round reports it
            return
        self.seconds += time.monotonic() - started

    def _understood(self, speakers: tuple[Speaker, ...]) -> tuple[Speaker, ...]:
        if all(speaker.language != UNKNOWN for speaker in speakers):
            return speakers
        assumed = tuple(replace(s, language="en") for s in speakers)
        spec = self.vocoder.spec
        system = System(
            "copy synthesis",
            assumed,
            lambda x, rate: copy_synthesis(x, rate, self.vocoder),
            lambda x: extract_f0(x, spec),
        )
        evaluator = replace(self.evaluator, metrics=("words",))
        scores = [s.scores for s in score_systems([system], None, evaluator, spec)]
        rates = [s.characters.rate if s.characters else 1.0 for s in scores]
        if np.mean(rates) < UNDERSTOOD_CER:
            return assumed
        self.console.print(
            f"the recogniser does not understand {', '.join(s.name for s in speakers)}: words do "
            "not count (if this is English, check the recordings)",
            soft_wrap=True,
        )
        return speakers

    def _score(self, candidate: Candidate) -> list[Scored]:
        voice = candidate.voice

        def convert(recording: Wave, sample_rate: int) -> Conversion:
            return pipeline.convert(recording, voice, sample_rate=sample_rate, vocoder=self.vocoder)

        request = partial(requested_f0, voice=voice)
        system = System(voice.card.name, candidate.sources, convert, request)
        return list(score_systems([system], candidate.target, self.evaluator, voice.spec))

    def _find_best(self, candidate: Candidate) -> dict[str, Any] | None:
        """Return step and scores of the best weights, evaluated again under other settings."""
        path = best_path(self.folder, candidate.network)
        if not path.exists():
            return None
        with safe_open(path, framework="numpy") as opened:
            best, settings = (
                json.loads(opened.metadata()[key]) for key in ("scores", "postprocessing")
            )
        if settings == candidate.postprocessing:
            return best
        generator = replace(candidate.voice.generator, weights=load_file(path))
        means = self.evaluate(candidate, generator)
        if "composite" not in means:
            return None
        return self._write_best(candidate, generator, means, best["step"])

    def _write_best(
        self, candidate: Candidate, generator: Generator, means: dict[str, float], step: int
    ) -> dict[str, Any]:
        tensors = dict(generator.weights)
        best = {k: round(v, 4) for k, v in means.items()} | {"step": step}
        metadata = {
            "scores": json.dumps(best),
            "postprocessing": json.dumps(candidate.postprocessing),
        }
        with replacing(best_path(self.folder, candidate.network)) as partial:
            save_file(tensors, partial, metadata=metadata)
        return best


def make_speaker(name: str, split: Split, language: str, folder: Path) -> Speaker:
    """Return a speaker with excerpts of validation recordings, and of training ones as references.

    The excerpts of at most 4 s are written to `folder`, which is this speaker's alone.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def excerpt(path: Path, kind: str, index: int) -> Sentence:
        target = folder / f"{name}-{kind}-{index}.wav"
        rate = FileSource(path).sample_rate
        samples = load_mono(path, rate)[: round(EXCERPT_S * rate)]
        soundfile.write(target, np.clip(samples, -1, 1), rate, subtype="PCM_16")
        return Sentence(target.stem, target)

    scored, references = spread(split.valid, N_SENTENCES), spread(split.train, N_REFERENCES)
    return Speaker(
        name,
        language,
        tuple(excerpt(path, "valid", i) for i, path in enumerate(scored)),
        tuple(excerpt(path, "train", i) for i, path in enumerate(references)),
    )


def summarize_scored(scored: Sequence[Scored]) -> dict[str, float]:
    """Return the means over utterances; a metric without values is absent."""
    scores = [s.scores for s in scored]
    columns: dict[str, list[float | None]] = {
        "composite": [s.composite for s in scores],
        "secs_target": [s.secs_target for s in scores],
        "secs_source": [s.secs_source for s in scores],
        "cer": [s.characters.rate if s.characters else None for s in scores],
        "distillmos": [s.distillmos for s in scores],
        "f0_gross_rate": [s.pitch.gross_rate if s.pitch else None for s in scores],
        "f0_rmse_semitones": [s.pitch.rmse_semitones if s.pitch else None for s in scores],
    }
    means = {}
    for name, column in columns.items():
        known = [value for value in column if value is not None and np.isfinite(value)]
        if known:
            means[name] = float(np.mean(known))
    return means


def find_warnings(name: str, means: dict[str, float]) -> list[str]:
    """Return warnings for the owner of a new voice, one sentence each."""
    warnings = []
    target, source = means.get("secs_target"), means.get("secs_source")
    if target is not None and source is not None and target <= source:
        warnings.append(
            f"{name}: the output still sounds more like its source (similarity {source:.2f}) than "
            f"like {name} ({target:.2f}): train longer (--resume with more --steps) or check the "
            "recordings in both folders"
        )
    if means.get("cer", 0.0) > LOST_WORDS_CER:
        warnings.append(
            f"{name}: the recogniser no longer hears the source's words ({means['cer']:.0%} of the "
            "characters differ): train longer, or raise cycle_a, cycle_b and identity_b"
        )
    return warnings


def _mel_mean_error(scored: Sequence[Scored], voice: Voice) -> float:
    """Return the mean difference of band levels from the target's, in nepers, over all bands."""
    sums = []
    for _, audio, sample_rate, _ in scored:
        if audio is not None:
            waveform = resample(audio, sample_rate, voice.spec.sample_rate)
            found = find_activity(waveform, voice.spec)
            mel = LogMel(voice.spec)(found.level(waveform))
            sums.append(sum_frames(mel, found.f0_hz, found.speech))
    if not sums:
        return float("nan")
    means = np.mean([s.mel / s.n_active for s in sums], axis=0)
    return float(np.abs(means - voice.target_stats.mel_mean).mean())


def best_path(folder: Path, network: str) -> Path:
    """Return the file of a generator's best weights."""
    return folder / f"best-{network}.safetensors"
