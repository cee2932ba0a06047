"""Features of recordings for trainings: perturbed and heard, computed once and kept in a cache.

A cache entry is named by the SHA-256 of the file's content, the MelSpec, the perturbations, whether
it is heard, and the version of this module. It holds `mels` in fp16, `speech` (F,) and `f0` (F,) in
fp32 as .npy files, and where a training wants it `content` in fp16 and its `centre`; training maps
the larger ones into memory.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from voxcycle.audio.activity import find_activity
from voxcycle.audio.f0 import limit_f0
from voxcycle.audio.mel import LogMel, MelSpec, mel_filterbank
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.perturb import WARPS, Perturbation, WorldSpeech, analyse_world, resynthesize
from voxcycle.files import allow_open_files, check_writable, replacing
from voxcycle.runtime.session import count_threads, use_threads
from voxcycle.speech.features import Features
from voxcycle.speech.hearing import draw_disguise, hear_variants
from voxcycle.voices.content import load_phonetic_encoder

FEATURE_VERSION = 9
PIECE_S = 30.0
FILES, MAPPED = ("mels", "f0", "speech", "content", "centre"), ("mels", "content")


def extract_perturbed(
    path: Path, spec: MelSpec, perturbations: Sequence[Perturbation] = WARPS
) -> Features:
    """Compute the features of one recording with a mel per perturbation."""
    waveform = load_mono(path, spec.sample_rate)
    activity = find_activity(waveform, spec)
    waveform = activity.level(waveform)
    log_mel = LogMel(spec)
    magnitude = log_mel.magnitude(waveform)
    # WORLD's parameters take 16 kB per frame: long recordings are resynthesised in pieces.
    n_pieces = max(1, round(len(waveform) / spec.sample_rate / PIECE_S))
    pieces = np.array_split(waveform, n_pieces)
    speech: list[WorldSpeech] = []
    mels = []
    for perturbation in perturbations:
        if perturbation.formant == perturbation.pitch:
            mel = log_mel.project(magnitude, mel_filterbank(spec, perturbation.formant))
        else:
            speech = speech or [analyse_world(piece, spec.sample_rate) for piece in pieces]
            other = np.concatenate(
                [
                    resynthesize(part, perturbation, spec.sample_rate, len(piece))
                    for part, piece in zip(speech, pieces, strict=True)
                ]
            )
            mel = log_mel(other)
        mels.append(mel.astype(np.float16))
    return Features(np.stack(mels), limit_f0(activity.f0_hz), activity.speech)


def extract_disguised(
    path: Path, spec: MelSpec, perturbations: Sequence[Perturbation]
) -> tuple[bytes, Features]:
    """Return what a heard file is made of: the seed of its draws, its mel and its disguise's.

    The draws are those of `cache_features` with `hears`.
    """
    seed = _hash_entry(path, spec, perturbations, hears=True)
    _, drawn = draw_disguise(seed, len(perturbations) - 1)
    kinds = [*perturbations[:1], *(perturbations[1 + number] for number in drawn)]
    return seed, extract_perturbed(path, spec, kinds)


def _hash_entry(
    path: Path, spec: MelSpec, perturbations: Sequence[Perturbation], hears: bool
) -> bytes:
    digest = hashlib.sha256(path.read_bytes())
    named = [FEATURE_VERSION, spec.to_dict(), list(perturbations), hears]
    digest.update(json.dumps(named).encode())
    return digest.digest()


def _cache_one(
    path: Path, spec: MelSpec, perturbations: Sequence[Perturbation], cache_dir: Path, hears: bool
) -> Path:
    seed = _hash_entry(path, spec, perturbations, hears)
    entry = cache_dir / seed.hex()[:32]
    if entry.with_suffix(".f0.npy").exists():  # renamed last: the entry is complete
        return entry
    use_threads(1)  # one process per core
    if not hears:
        features = extract_perturbed(path, spec, perturbations)
    else:
        rng, drawn = draw_disguise(seed, len(perturbations) - 1)
        kinds = [*perturbations[:1], *(perturbations[1 + number] for number in drawn)]
        features = extract_perturbed(path, spec, kinds)
        encoder = load_phonetic_encoder()
        content, centre = hear_variants(encoder, features.mels, features.speech, spec, rng)
        features = features._replace(mels=features.mels[:1], content=content, centre=centre)
    arrays = dict(zip(FILES, features, strict=True))
    arrays["f0"] = arrays.pop("f0")  # to the end
    for name, array in arrays.items():
        if array is not None:
            path = entry.with_suffix(f".{name}.npy")
            with replacing(path) as partial, partial.open("wb") as file:
                np.save(file, array)
    return entry


def _load(entry: Path, hears: bool) -> Features:
    arrays = [
        np.load(entry.with_suffix(f".{name}.npy"), mmap_mode="r" if name in MAPPED else None)
        for name in (FILES if hears else FILES[:3])
    ]
    return Features(*arrays)


def cache_features(
    paths: Sequence[Path],
    spec: MelSpec,
    cache_dir: Path,
    *,
    perturbations: Sequence[Perturbation] = WARPS,
    hears: bool = False,
    n_jobs: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Features]:
    """Return memory-mapped features of every file, computing the missing ones in parallel.

    By `n_jobs` processes, None for one per core; `advance` is called once per finished file. With
    `hears` they have content. OSError where the cache cannot be written to.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    check_writable(cache_dir)
    cache_dir.mkdir(parents=True, exist_ok=True)
    n_threads = count_threads()
    # Processes of joblib outlive a call and, unlike those of the standard library, do not run the
    # caller's script again. They keep the working directory of their start.
    results = Parallel(n_jobs=n_jobs or os.cpu_count(), return_as="generator")(
        delayed(_cache_one)(path.absolute(), spec, perturbations, cache_dir.absolute(), hears)
        for path in paths
    )
    entries: list[Path] = []
    try:
        for entry in results:
            entries.append(entry)
            advance()
    except TerminatedWorkerError as error:
        raise OSError(
            f"{paths[len(entries)]}: the analysis was killed at this file or one near it, most "
            "likely for lack of memory; close other programs and start again (finished files are "
            "kept)"
        ) from error
    use_threads(n_threads)  # where this process did the work
    allow_open_files()
    return [_load(entry, hears) for entry in entries]
