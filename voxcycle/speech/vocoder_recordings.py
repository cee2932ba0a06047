"""The recordings that a vocoder is trained on, and conversions of them by voices."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from voxcycle.audio.f0 import extract_f0, transform_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.audio.stats import estimate_stats, sum_frames
from voxcycle.conversion.stages import convert_mels
from voxcycle.files import cache_dir, replacing
from voxcycle.speech.corpus import MIN_CLIP_S, MIN_TOTAL_S, CorpusError, list_rejected, scan_folders
from voxcycle.speech.feature_cache import cache_features
from voxcycle.speech.features import load_analysis_waveform
from voxcycle.speech.vocoder_crops import Recording
from voxcycle.vocoders.hifigan import WEIGHTS_PACKAGE
from voxcycle.vocoders.registry import Vocoder, load_vocoder
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import Voice


def load_recordings(folders: Sequence[Path], spec: MelSpec, console: Console) -> list[Recording]:
    """Return every usable recording of the folders with its mel and F0, computed where missing.

    Raises:
        CorpusError: folders share recordings, one is missing, or all have too little together.
    """
    corpora = scan_folders(folders, MIN_CLIP_S, console)
    duration_s = sum(corpus.duration_s for corpus in corpora)
    if duration_s < MIN_TOTAL_S:
        more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
        raise CorpusError(
            f"{folders[0]}{more}: {duration_s:.0f} s of usable speech, at least "
            f"{MIN_TOTAL_S:.0f} s are needed in all" + list_rejected(corpora)
        )
    paths = [clip.path for corpus in corpora for clip in corpus.clips]
    return load_paths(paths, spec, console)


def load_paths(paths: Sequence[Path], spec: MelSpec, console: Console) -> list[Recording]:
    """Return the recordings of files."""
    features = cache_features(paths, spec, cache_dir("features"), perturbations=WARPS[:1])
    recordings = []
    quiet = not console.is_terminal
    for path, analysed in track(
        list(zip(paths, features, strict=True)), "Reading", console=console, disable=quiet
    ):
        waveform = load_analysis_waveform(path, spec)
        samples = _quantize(waveform)
        recordings.append(Recording(samples, analysed.mels[0], analysed.f0_hz, analysed.speech))
    return recordings


def load_voices(names: Sequence[str], spec: MelSpec) -> list[Voice]:
    """Return voices; ValueError where one has another mel analysis."""
    voices = [load_voice(name) for name in names]
    for name, voice in zip(names, voices, strict=True):
        voice.spec.require_same(spec, f"the voice {name}", "the vocoder")
    return voices


def convert_recordings(
    voices: Sequence[str],
    recordings: Sequence[Recording],
    *,
    n_conversions: int,
    spec: MelSpec,
    seed: int,
    console: Console,
) -> list[Recording]:
    """Return conversions of some recordings by each voice: mels, F0 and waveforms."""
    if not voices:
        return []
    teacher = load_vocoder("hifigan", spec)
    rng = np.random.default_rng(seed)
    quiet = not console.is_terminal
    converted = []
    for name, voice in zip(voices, load_voices(voices, spec), strict=True):
        chosen = [recordings[index] for index in rng.permutation(len(recordings))[:n_conversions]]
        for recording in track(
            chosen, f"Converting to {escape(name)}", console=console, disable=quiet
        ):
            converted.append(convert_recording(voice, recording, teacher, spec))
    return converted


def convert_recording(
    voice: Voice, recording: Recording, teacher: Vocoder, spec: MelSpec
) -> Recording:
    """Return a conversion, whose waveform a teacher renders: there is no recording of it.

    F0 is measured in the teacher's output, whose pitch differs a little from the requested one.
    """
    mel = _convert(voice, recording)
    samples = _render(teacher, mel)
    f0_hz = extract_f0(np.divide(samples, 32767, dtype=np.float32), spec)
    return Recording(samples, mel.astype(np.float16), f0_hz, recording.speech)


def _render(teacher: Vocoder, log_mel: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return what a teacher renders. It is kept in the cache: a resumed run takes it from there."""
    weights = f"{teacher.name}, {WEIGHTS_PACKAGE} {version(WEIGHTS_PACKAGE)}"
    key = hashlib.sha256(weights.encode() + log_mel.tobytes()).hexdigest()[:32]
    path = cache_dir("renderings") / f"{key}.npy"
    if not path.exists():
        with replacing(path) as partial, partial.open("wb") as file:
            np.save(file, _quantize(teacher.decode(log_mel)))
    samples: NDArray[np.int16] = np.load(path)
    return samples


def _convert(voice: Voice, recording: Recording) -> NDArray[np.float32]:
    """Return the voice's log-mels (F, n_mels) for a recording by its own statistics."""
    mel = recording.mel.astype(np.float32)
    source = estimate_stats(sum_frames(mel, recording.f0_hz, recording.speech), voice.source_stats)
    f0_hz = transform_f0(recording.f0_hz, source, voice.target_stats)
    return convert_mels(
        voice.generator,
        mel,
        f0_hz,
        recording.speech,
        spec=voice.spec,
        source=source,
        target=voice.target_stats,
        second_pass=voice.second_pass,
    )


def _quantize(waveform: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.rint(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
