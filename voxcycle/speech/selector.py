"""Which weights a training exports: validation recordings converted and put before the judges.

The same functions as `voxcycle evaluate`, on recordings that no step trains on. The score of a
generator is the mean over its utterances of `UtteranceScores.composite`: similarity to the target,
characters that the recogniser still hears as in the source, and DistillMOS, in equal parts. Words
count where the recogniser understands the speaker. No judge enters a loss.
"""

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.tensorboard import SummaryWriter

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.level import normalize_level
from voxcycle.audio.mel import LogMel
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.audio.stats import sum_frames
from voxcycle.conversion import pipeline
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.dataset import spread
from voxcycle.evaluation.metrics.all_metrics import QUICK_METRICS, Evaluator
from voxcycle.evaluation.metrics.pitch import requested_f0
from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.evaluation.score import Scored, score_systems
from voxcycle.evaluation.systems import Sentence, Speaker, System, Wave, copy_synthesis
from voxcycle.files import replacing
from voxcycle.speech.corpus import Split
from voxcycle.training.state import TrainingState
from voxcycle.vocoders import Vocoder
from voxcycle.voices.voice import Voice

N_SENTENCES = 4
N_REFERENCES = 8
EXCERPT_S = 4.0
JUDGE_EVERY = 2500  # steps: 10 minutes of one thread, for a round of 8 sentences
MAX_SHARE = 0.05  # of the time; a round is left out while the former ones have had more
UNDERSTOOD_CER = 0.3
LOST_WORDS_CER = 0.5
UNKNOWN = "und"  # ISO 639-2 for a language that is not known


@dataclass(frozen=True)
class Contest:
    """One generator, and what its weights are judged by.

    Attributes:
        network: "g_ab" or "g_ba".
        sources: speakers with the recordings to convert.
        target: the speaker to be matched.
        voice: the voice that the generator will be, around the averaged network itself.
        finish: makes of the generator what the voice is given of it.
        made_with: the settings by which it does; scores of the same weights under others are none.
    """

    network: str
    sources: tuple[Speaker, ...]
    target: Speaker
    voice: Voice
    finish: Callable[[Any], Any] = lambda generator: generator
    made_with: dict[str, float] = field(default_factory=dict)


class Selection:
    """Every 2,500 steps: scores the averaged generators and keeps the best of each.

    The best are written to `best-<network>.safetensors` in the run's folder, with step and score,
    so that a resumed training knows them. Rounds lie on a grid of steps of their own: where a
    training was interrupted makes no difference. Without the judges of `[eval]`, F0 and band levels
    are logged and nothing is kept.

    Args:
        contests: one per voice to be made.
        vocoder: renders what is judged.
        folder: of the run.
        console: for what the owner should know.
    """

    def __init__(
        self, contests: Sequence[Contest], vocoder: Vocoder, folder: Path, console: Console
    ) -> None:
        self.contests = list(contests)
        self.vocoder = vocoder
        self.folder = folder
        self.console = console
        metrics = (*QUICK_METRICS, "pitch") if has_metrics() else ("pitch",)
        self.judges = Evaluator(metrics, ContentCache(folder / "validation" / "scores"))
        self.is_broken = False
        self.is_tried = not has_metrics()  # whether unknown languages have been
        self.started = time.monotonic()
        self.seconds = 0.0  # spent on judging, in this call

    def __call__(self, module: TrainingState, writer: SummaryWriter | None) -> None:
        """Judge the averaged generators if it is due."""
        step = module.steps_done
        is_late = self.seconds > MAX_SHARE * (time.monotonic() - self.started)
        if step % JUDGE_EVERY or self.is_broken or is_late:
            return
        self._try_languages()
        for contest in self.contests:
            means = self.judge(contest)
            if writer is not None:
                for key, value in means.items():
                    writer.add_scalar(f"valid/{contest.network}_{key}", value, step)
            if "composite" in means:
                self._keep_best(contest, means, step)

    def judge(self, contest: Contest) -> dict[str, float]:
        """Return the mean scores of a generator as it is; nothing where a judge fails."""
        started = time.monotonic()
        generator = contest.voice.generator
        device = next(generator.parameters()).device
        try:
            generator.to("cpu")  # where voices are used
            finished = replace(contest.voice, generator=contest.finish(generator))
            scored = self._score(replace(contest, voice=finished))
        except (OSError, ImportError, RuntimeError) as error:
            self.is_broken = True
            self.console.print(
                f"the judges failed and rest from here on ({error}); the training goes on",
                soft_wrap=True,
            )
            return {}
        finally:
            generator.to(device)
        means = summarize_scored(scored)
        means["mel_mean_error"] = _mel_mean_error(scored, contest.voice)
        self.seconds += time.monotonic() - started
        return means

    def choose(self, step: int) -> dict[str, dict[str, Any]]:
        """Judge the weights at the end and return the step and scores of each generator's best.

        The last weights compete for this export alone; where they win, or nothing was judged, the
        entry's step is `step`. Prints warnings about what is exported.
        """
        chosen: dict[str, dict[str, Any]] = {}
        self._try_languages()
        for contest in self.contests:
            last = {} if self.is_broken else self.judge(contest)
            best = self._find_best(contest) if "composite" in last else None
            if best is None or last["composite"] >= best["composite"]:
                best = {k: round(v, 4) for k, v in last.items()} | {"step": step}
            chosen[contest.network] = best
            for warning in find_warnings(contest.voice.card.name, best):
                self.console.print(f"warning: {warning}", soft_wrap=True)
        if not has_metrics():
            self.console.print(
                "the last weights are exported unjudged: with the extra [eval] (in a clone "
                "`pip install -e '.[eval]'`) the best by similarity, words and naturalness are",
                soft_wrap=True,
            )
        return chosen

    def _try_languages(self) -> None:
        """Let words count of speakers whose language is unknown but is understood; once."""
        if self.is_tried:
            return
        self.is_tried = True
        started = time.monotonic()
        try:
            self.contests = [replace(c, sources=self._understood(c.sources)) for c in self.contests]
        except (OSError, ImportError, RuntimeError):  # the round that follows tells of it
            return
        self.seconds += time.monotonic() - started

    def _understood(self, speakers: tuple[Speaker, ...]) -> tuple[Speaker, ...]:
        if all(speaker.language != UNKNOWN for speaker in speakers):
            return speakers
        heard = tuple(replace(s, language="en") for s in speakers)
        row = System(
            "copy synthesis",
            heard,
            lambda x, rate: copy_synthesis(x, rate, self.vocoder),
            lambda x: extract_f0(x, self.vocoder.spec),
        )
        judges = replace(self.judges, metrics=("words",))
        scores = [s.scores for s in score_systems([row], None, judges, self.vocoder.spec)]
        rates = [s.characters.rate if s.characters else 1.0 for s in scores]
        if np.mean(rates) < UNDERSTOOD_CER:
            return heard
        self.console.print(
            f"the recogniser does not understand {', '.join(s.name for s in speakers)}: the words "
            "are not judged (if this is English, check the recordings)",
            soft_wrap=True,
        )
        return speakers

    def _score(self, contest: Contest) -> list[Scored]:
        voice = contest.voice

        def convert(recording: Wave, sample_rate: int) -> Wave:
            return pipeline.convert(
                recording, voice, sample_rate=sample_rate, vocoder=self.vocoder
            ).waveform

        row = System(voice.card.name, contest.sources, convert, partial(requested_f0, voice=voice))
        return list(score_systems([row], contest.target, self.judges, voice.spec))

    def _keep_best(self, contest: Contest, means: dict[str, float], step: int) -> None:
        best = self._find_best(contest)
        if self.is_broken:  # the best could not be judged again: it stays
            return
        if best is None or best["composite"] <= means["composite"]:
            self._write_best(contest, contest.voice.generator, means, step)

    def _find_best(self, contest: Contest) -> dict[str, Any] | None:
        """Return step and scores of the best weights, judged anew if they were made otherwise."""
        path = best_path(self.folder, contest.network)
        best = read_best(self.folder, contest.network)
        if best is None or read_made_with(path) == contest.made_with:
            return best
        generator = copy.deepcopy(contest.voice.generator)
        generator.load_state_dict(load_file(path))
        means = self.judge(replace(contest, voice=replace(contest.voice, generator=generator)))
        if "composite" not in means:
            return None
        self._write_best(contest, generator, means, best["step"])
        return read_best(self.folder, contest.network)

    def _write_best(
        self, contest: Contest, generator: Any, means: dict[str, float], step: int
    ) -> None:
        tensors = {k: v.contiguous() for k, v in generator.state_dict().items()}
        rounded = {k: round(v, 4) for k, v in means.items()} | {"step": step}
        metadata = {
            "selection": json.dumps(rounded),
            "made_with": json.dumps(contest.made_with),
        }
        with replacing(best_path(self.folder, contest.network)) as partial:
            save_file(tensors, partial, metadata=metadata)


def make_speaker(name: str, split: Split, language: str, folder: Path) -> Speaker:
    """Return a speaker with excerpts of validation recordings, and of training ones as references.

    Args:
        name: of the speaker.
        split: the speaker's files.
        language: for the recogniser.
        folder: of this speaker alone; the excerpts, 4 s at most, are written there anew.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def excerpt(path: Path, kind: str, index: int) -> Sentence:
        target = folder / f"{name}-{kind}-{index}.wav"
        rate = soundfile.info(path).samplerate
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
    """Return the means over utterances; a metric that nothing has is absent."""
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
    """Return what the owner of a new voice should know, one sentence each."""
    warnings = []
    target, source = means.get("secs_target"), means.get("secs_source")
    if target is not None and source is not None and target <= source:
        warnings.append(
            f"{name}: the output still sounds more like its source (similarity {source:.2f}) than "
            f"like {name} ({target:.2f}): train longer (--resume with more --steps) or check that "
            "both folders hold what they should"
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
    for _, audio, sample_rate in scored:
        if audio is not None:
            waveform = resample(audio, sample_rate, voice.spec.sample_rate)
            waveform = normalize_level(waveform, voice.spec.sample_rate).waveform
            with torch.inference_mode():
                mel = LogMel(voice.spec)(torch.from_numpy(waveform)[None])[0].T.numpy()
            sums.append(sum_frames(mel, extract_f0(waveform, voice.spec)))
    if not sums:
        return float("nan")
    means = np.mean([s.mel / s.n_active for s in sums], axis=0)
    return float(np.abs(means - voice.target_stats.mel_mean).mean())


def best_path(folder: Path, network: str) -> Path:
    """Return the file of a generator's best weights."""
    return folder / f"best-{network}.safetensors"


def read_best(folder: Path, network: str) -> dict[str, Any] | None:
    """Return step and scores of a generator's best weights; None where there are none."""
    path = best_path(folder, network)
    if not path.exists():
        return None
    with safe_open(path, framework="numpy") as opened:
        return dict(json.loads(opened.metadata()["selection"]))


def read_made_with(path: Path) -> dict[str, float] | None:
    """Return the settings under which the weights of a file were judged; None if it says none."""
    with safe_open(path, framework="numpy") as opened:
        made_with = opened.metadata().get("made_with")
    return json.loads(made_with) if made_with else None
