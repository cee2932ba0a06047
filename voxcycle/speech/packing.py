"""From folders of recordings to a training pack of a size, drawn evenly from the speakers."""

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS, Perturbation
from voxcycle.runtime.session import use_threads
from voxcycle.speech.config import PretrainedTrainingConfig, VocoderTrainingConfig
from voxcycle.speech.corpus import MIN_CLIP_S, Clip, Corpus, CorpusError, scan_folders
from voxcycle.speech.domains import MIN_POOL_SPEAKER_S, perturbations
from voxcycle.speech.feature_cache import extract_disguised
from voxcycle.speech.features import Features
from voxcycle.speech.packs import (
    PRETRAINING,
    VOCODER_TRAINING,
    PackedRecording,
    pack_heard,
    pack_recording,
    write_pack,
)
from voxcycle.speech.speakers import SHORT_SPEAKER_S
from voxcycle.speech.vocoder_recordings import (
    convert_recording,
    load_paths,
    load_recordings,
    load_voices,
)
from voxcycle.vocoders.registry import load_vocoder

STEPS_PER_RMS = 128  # of the samples; see `encode_samples`
# No pack holds more than its size divided by these; what is beyond is not analysed.
FEWEST_BYTES_PER_S = {VOCODER_TRAINING: 8_000, PRETRAINING: 5_000}
CONVERTED_SHARE = 0.4  # of a pack's size, where there are voices
# Settings that name folders and the run's own; a training from the pack brings its own.
NOT_PACKED = {"folders", "voices", "sources", "n_conversions", "out", "pack"}


class Packed(NamedTuple):
    """What a pack holds: the file, and minutes of recordings and of conversions."""

    path: Path
    minutes: float
    minutes_converted: float


def pack_vocoder_training(
    config: VocoderTrainingConfig,
    path: Path,
    *,
    megabytes: float,
    console: Console,
    converted_share: float = CONVERTED_SHARE,
    steps_per_rms: int | None = STEPS_PER_RMS,
) -> Packed:
    """Pack recordings of the config's folders, and conversions of its sources by its voices.

    Args:
        config: as for `train_vocoder`.
        path: the pack.
        megabytes: its size, at most.
        console: for progress and messages.
        converted_share: share of the size for conversions; 0 without voices.
        steps_per_rms: precision of the samples, see `encode_samples`; None: as they are.

    Raises:
        CorpusError: no folder has enough speech, one is missing, or not one recording fits.
    """
    spec = MelSpec()
    voices = load_voices(config.voices, spec)
    share = converted_share if voices else 0.0
    corpora = scan_folders(config.folders, MIN_CLIP_S, console)
    budget = megabytes * 1e6
    order = _choose(corpora, budget / FEWEST_BYTES_PER_S[VOCODER_TRAINING], config.seed)
    recordings = load_paths([clip.path for _, clip in order], spec, console)
    candidates = (pack_recording(recording, False, steps_per_rms) for recording in recordings)
    packed = _fill(candidates, (1 - share) * budget)
    sources = recordings[: len(packed)]
    if config.sources:
        sources = load_recordings(config.sources, spec, console)
    # Those of a pack that holds everything are in the order of a training from folders.
    packed = _sort(packed, order)

    def convert() -> Iterator[PackedRecording]:
        teacher = load_vocoder("hifigan", spec)
        drawn = np.random.default_rng(config.seed).permutation(len(sources))
        for number, index in enumerate(drawn):
            voice = voices[number % len(voices)]
            converted = convert_recording(voice, sources[index], teacher, spec)
            yield pack_recording(converted, True, steps_per_rms)

    converted = _fill(convert(), share * budget) if share else []
    _write(path, VOCODER_TRAINING, [*packed, *converted], config, {})
    minutes = [sum(len(one.f0_hz) for one in part) for part in (packed, converted)]
    return Packed(path, *(n_frames / spec.frame_rate / 60 for n_frames in minutes))


def pack_pretraining(
    config: PretrainedTrainingConfig, path: Path, *, megabytes: float, console: Console
) -> Packed:
    """Pack recordings of the config's folders, one speaker each, with a disguise of each.

    Raises:
        CorpusError: fewer than two speakers have enough speech, or not one recording fits.
    """
    spec = MelSpec()
    corpora = scan_folders(config.folders, MIN_POOL_SPEAKER_S, console)
    if len(corpora) < 2:
        raise CorpusError("fewer than two of the speakers have enough usable speech")
    kinds = [
        WARPS if corpus.duration_s < SHORT_SPEAKER_S else perturbations(config)
        for corpus in corpora
    ]
    budget = megabytes * 1e6
    order = _choose(corpora, budget / FEWEST_BYTES_PER_S[PRETRAINING], config.seed)
    analysed = _disguise([(clip.path, kinds[owner]) for owner, clip in order], spec, console)
    candidates = (
        pack_heard(features, owner, seed, len(kinds[owner]) - 1)
        for (owner, _), (seed, features) in zip(order, analysed, strict=False)
    )
    packed = _sort(_fill(candidates, budget), order)
    if len({one.owner for one in packed}) < len(corpora):
        raise CorpusError(f"{megabytes:g} MB do not hold one recording of every speaker")
    names = {"speakers": [corpus.name for corpus in corpora]}
    _write(path, PRETRAINING, packed, config, names)
    n_frames = sum(len(one.f0_hz) for one in packed)
    return Packed(path, n_frames / spec.frame_rate / 60, 0.0)


def order_evenly(durations_s: Sequence[Sequence[float]], seed: int) -> list[tuple[int, int]]:
    """Return (group, item) of all items, so that any first part holds about as much of each group.

    Always the next random item of the group of which least has been taken, a random one of those.
    """
    rng = np.random.default_rng(seed)
    left = [list(rng.permutation(len(group))) for group in durations_s]
    taken_s = [0.0] * len(left)
    drawn = [int(group) for group in rng.permutation(len(left))]
    order = []
    while any(left):
        group = min((i for i in drawn if left[i]), key=lambda i: taken_s[i])
        item = int(left[group].pop())
        taken_s[group] += durations_s[group][item]
        order.append((group, item))
    return order


def _choose(corpora: Sequence[Corpus], most_s: float, seed: int) -> list[tuple[int, Clip]]:
    """Return the first clips of `order_evenly`, up to so many seconds, with their owners."""
    order = order_evenly([[clip.duration_s for clip in c.clips] for c in corpora], seed)
    chosen: list[tuple[int, Clip]] = []
    seconds = 0.0
    for owner, item in order:
        if seconds > most_s:
            break
        chosen.append((owner, corpora[owner].clips[item]))
        seconds += chosen[-1][1].duration_s
    return chosen


def _fill(candidates: Iterable[PackedRecording], n_bytes: float) -> list[PackedRecording]:
    """Take candidates until one does not fit; CorpusError if that is the first."""
    taken: list[PackedRecording] = []
    for one in candidates:
        n_bytes -= one.n_bytes
        if n_bytes < 0:
            break
        taken.append(one)
    if not taken:
        raise CorpusError("not one recording fits: give more --megabytes, or shorter recordings")
    return taken


def _sort(
    packed: Sequence[PackedRecording], order: Sequence[tuple[int, Clip]]
) -> list[PackedRecording]:
    """Return recordings by owner and path, as trainings from folders have them."""
    keys = [(owner, clip.path) for owner, clip in order[: len(packed)]]
    return [packed[i] for i in sorted(range(len(packed)), key=keys.__getitem__)]


def _disguise(
    jobs: Sequence[tuple[Path, Sequence[Perturbation]]], spec: MelSpec, console: Console
) -> Iterator[tuple[bytes, Features]]:
    """Yield what `extract_disguised` gives of every job, by one process per core."""
    from joblib import Parallel, delayed

    results = Parallel(n_jobs=os.cpu_count(), return_as="generator")(
        delayed(_disguise_one)(path.absolute(), spec, kinds) for path, kinds in jobs
    )
    quiet = not console.is_terminal
    try:
        yield from track(results, "Analysing", len(jobs), console=console, disable=quiet)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the pack is full: what is under way is not needed
            results.close()


def _disguise_one(
    path: Path, spec: MelSpec, kinds: Sequence[Perturbation]
) -> tuple[bytes, Features]:
    use_threads(1)
    return extract_disguised(path, spec, kinds)


def _write(
    path: Path,
    training: str,
    packed: Sequence[PackedRecording],
    config: VocoderTrainingConfig | PretrainedTrainingConfig,
    header: dict[str, Any],
) -> None:
    given = config.model_dump_json(include=config.model_fields_set - NOT_PACKED)
    write_pack(path, training, packed, {"settings": json.loads(given), **header})
