"""Which clips do not belong among the others: another speaker, music, noise.

Two scores of each clip against all: how far its speaker embedding lies from the middle one, and how
far from the prior a VAE, trained for seconds on patches of these very clips, has to put what it
hears. Nothing is known beforehand of the speaker. What does not belong must be rare.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.level import normalize_level
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.evaluation.metrics.similarity import centroid
from voxcycle.evaluation.optional_deps import METRIC_RATE, has_metrics, import_metric
from voxcycle.methods.outliers import outlier_scores
from voxcycle.speech.patch_vae import cut_patches, train_vae

MIN_CLIPS = 20  # fewer tell nothing of what is usual
MAX_SCORE = 20.0
MIN_COSINE_SCALE, MIN_LOG_F0_SCALE = 0.02, 0.05  # nobody sounds more alike than that
MIN_NORM_SCALE = 0.1  # of the median


class Strangeness(NamedTuple):
    """How far a clip is from the others, in robust deviations, 0 where it is nearer than most.

    Attributes:
        voice: by the speaker embedding; without the extra `[eval]`, by the median of log F0.
        sound: by the VAE.
    """

    voice: float
    sound: float

    @property
    def total(self) -> float:
        """Both together."""
        return float(np.hypot(self.voice, self.sound))


def compare_clips(paths: Sequence[Path]) -> list[float]:
    """Return `Strangeness.total` of recordings of at least a second, for `prepare_folder`."""
    spec = MelSpec()
    clips = [
        normalize_level(load_mono(path, spec.sample_rate), spec.sample_rate).waveform
        for path in paths
    ]
    return [score.total for score in find_strangeness(clips, spec)]


def find_strangeness(clips: Sequence[NDArray[np.float32]], spec: MelSpec) -> list[Strangeness]:
    """Score clips (T,) at the rate of `spec`, levelled; zeros where there are fewer than 20."""
    if len(clips) < MIN_CLIPS:
        return [Strangeness(0.0, 0.0)] * len(clips)
    if has_metrics():
        voice = deviations(voice_distances(clips, spec), MIN_COSINE_SCALE)
    else:
        voice = deviations(pitch_distances(clips, spec), MIN_LOG_F0_SCALE)
    norms = latent_norms(clips, spec)
    sound = deviations(norms, MIN_NORM_SCALE * float(np.nanmedian(norms)))
    return [Strangeness(*pair) for pair in zip(voice, sound, strict=True)]


def deviations(distances: Sequence[float], min_scale: float) -> list[float]:
    """Return how far above the median each one is, in units of the median absolute deviation.

    Times 1.4826, the standard deviation where they are normal; NaN counts as the farthest. The unit
    is at least `min_scale`: among clips that are all alike a little is no reason to leave one out.
    """
    values = np.asarray(distances, float)
    middle = np.nanmedian(values)
    scale = 1.4826 * np.nanmedian(np.abs(values - middle))
    scores = np.nan_to_num((values - middle) / max(scale, min_scale), nan=MAX_SCORE)
    return np.clip(scores, 0.0, MAX_SCORE).tolist()


def voice_distances(clips: Sequence[NDArray[np.float32]], spec: MelSpec) -> list[float]:
    """Return 1 - cosine to the middle of all speaker embeddings.

    The clips go to Resemblyzer's network as they are: they are levelled and cut at pauses, and its
    package's own preparation leaves too little of short ones to tell two actors apart.
    """
    encoder = import_metric("resemblyzer").VoiceEncoder("cpu", verbose=False)
    speech = (resample(clip, spec.sample_rate, METRIC_RATE) for clip in clips)
    embeddings = np.array([encoder.embed_utterance(clip) for clip in speech])
    return (1 - embeddings @ centroid([np.median(embeddings, axis=0)])).tolist()


def pitch_distances(clips: Sequence[NDArray[np.float32]], spec: MelSpec) -> list[float]:
    """Return how far the median of ln F0 is from that of all; NaN where nothing is voiced."""
    contours = [extract_f0(clip, spec) for clip in clips]
    middles = [np.median(np.log(f0[f0 > 0])) if (f0 > 0).any() else np.nan for f0 in contours]
    return np.abs(np.array(middles) - np.nanmedian(middles)).tolist()


def latent_norms(clips: Sequence[NDArray[np.float32]], spec: MelSpec, seed: int = 0) -> list[float]:
    """Return the mean square of the latents that a VAE of all gives to the patches of each."""
    log_mel = LogMel(spec)
    with torch.inference_mode():
        mels = [log_mel(torch.from_numpy(clip)[None])[0].T for clip in clips]  # (F, n_mels)
    patches = [images for images, _ in cut_patches(mels)]
    vae = train_vae(torch.cat(patches), seed)
    return [
        float(outlier_scores(vae, part, seed)["latent norm"].mean()) if len(part) else np.nan
        for part in patches
    ]
