"""Which clips do not belong with the others: another speaker, music, noise.

Two scores compare each clip with all others: the distance of its voice, a speaker embedding and the
pitch, from the median one, and the divergence of its sounds, patches of mels, from the distribution
of all sounds. Neither needs to know the speaker, and both assume that most clips belong.
`prepare.py` drops the outliers, and before them what `screening_quality.py` calls unusable.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import MIN_MEL_STD
from voxcycle.speech.features import Features, extract_features
from voxcycle.speech.two_speakers import find_other_speaker
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained
from voxcycle.voices.speaker_encoder import SpeakerEncoder

MIN_CLIPS = 20  # fewer do not show what is usual
MAX_SCORE = 20.0
# Clips of one speaker vary at least this much; measured by egs/fillets_nl/planted_outliers.py.
MIN_VOICE_SCALE, MIN_SOUND_SCALE = 0.04, 0.25

PITCH_WEIGHT = 0.7  # of the median of ln F0, beside an embedding: a unit vector
VOICE_PRIOR_S = 1.0  # of speech: the embeddings of shorter clips are unreliable

# Patches of mels, a quarter of a second long, and their principal components.
SIDE = 20  # of a patch: bands, and frames of 12 ms
HOP = 5  # frames between patches
MIN_LEVEL = -1.0  # deviations; below, a patch is a pause
RANGE = 3.0  # deviations that a pixel shows
N_LATENT = 16
PATCH_PRIOR = 30.0  # patches that outweigh what is usual
N_FITS, FITTED_SHARE = 3, 0.8  # of the clips: the others may be outliers
Patches = NDArray[np.float32]  # (N, SIDE * SIDE)


class OutlierScore(NamedTuple):
    """Distance of a clip from the others in robust deviations, 0 below the median."""

    voice: float  # by the speaker embedding and the pitch
    sound: float  # by the divergence of its patches
    is_other: bool = False  # it belongs to the smaller of two groups of voices

    @property
    def total(self) -> float:
        """Both together."""
        return float(np.hypot(self.voice, self.sound))


def compare_clips(paths: Sequence[Path]) -> list[OutlierScore]:
    """Return the scores of recordings of at least a second, for `prepare_folder`."""
    spec = MelSpec()
    return score_clips([extract_features(path, spec) for path in paths], spec)


def score_clips(clips: Sequence[Features], spec: MelSpec) -> list[OutlierScore]:
    """Score clips; zeros where there are fewer than 20."""
    if len(clips) < MIN_CLIPS:
        return [OutlierScore(0.0, 0.0)] * len(clips)
    embeddings = np.array([embed_clip(clip) for clip in clips])
    shares = voice_weights(clips, spec)
    voice = deviations(shares * voice_distances(clips, embeddings), MIN_VOICE_SCALE)
    sound = deviations(sound_distances(clips), MIN_SOUND_SCALE)
    is_other = find_other_speaker(embeddings, shares)
    return [OutlierScore(*three) for three in zip(voice, sound, is_other.tolist(), strict=True)]


def deviations(distances: ArrayLike, min_scale: float) -> list[float]:
    """Return how far above the median each one is, in units of the median absolute deviation.

    Times 1.4826, the standard deviation where they are normal; NaN counts as the farthest. The unit
    is at least `min_scale`, so that small differences among clips that are all alike do not count.
    """
    values = np.asarray(distances, float)
    middle = np.nanmedian(values)
    scale = 1.4826 * np.nanmedian(np.abs(values - middle))
    scores = np.nan_to_num((values - middle) / max(scale, min_scale), nan=MAX_SCORE)
    return np.clip(scores, 0.0, MAX_SCORE).tolist()


def voice_weights(clips: Sequence[Features], spec: MelSpec) -> NDArray[np.float64]:
    """Return the weight of each clip's embedding (N,): s / (s + 1) for s seconds of speech.

    Without it, the farthest clips are the speaker's own shortest ones.
    """
    speech_s = np.array([clip.speech.sum() for clip in clips]) / spec.frame_rate
    return speech_s / (speech_s + VOICE_PRIOR_S)


def voice_distances(
    clips: Sequence[Features], embeddings: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the squared distances (N,) of embeddings (N, D) and pitch to the median ones."""
    middle = np.median(embeddings, axis=0)
    cosines = embeddings @ middle / np.linalg.norm(middle)
    voiced = [clip.f0_hz[clip.f0_hz > 0] for clip in clips]
    log_f0 = np.array([np.log(np.median(f0)) if len(f0) else np.nan for f0 in voiced])
    pitch = np.nan_to_num(
        PITCH_WEIGHT * (log_f0 - np.nanmedian(log_f0))
    )  # 0 where nothing is voiced
    return 2 * (1 - cosines) + np.square(pitch)


def embed_clip(clip: Features) -> NDArray[np.float32]:
    """Return the embedding of a clip by the packaged speaker encoder, a unit vector (D,)."""
    return _load_packaged_encoder().embed(clip.mels[0], clip.speech)


@functools.cache
def _load_packaged_encoder() -> SpeakerEncoder:
    encoder = Pretrained.load(PRETRAINED_FILE).encoder
    if encoder is None:
        raise ValueError(f"{PRETRAINED_FILE}: there is no speaker encoder in it")
    return encoder


def sound_distances(clips: Sequence[Features]) -> list[float]:
    """Return the logarithm of the divergence of each clip's patches from those of most clips.

    The principal components are fitted three times, the second and third time without the fifth of
    the clips that is farthest. NaN where a clip has no patches.
    """
    patches = cut_patches([clip.mels[0].astype(np.float32) for clip in clips])
    is_usual = np.ones(len(clips), bool)
    distances = np.full(len(clips), np.nan)
    for _ in range(N_FITS):
        components = fit_components([patches[i] for i in np.flatnonzero(is_usual)])
        for i, part in enumerate(patches):
            if len(part):
                distances[i] = np.log(divergence(components.project(part)))
        is_usual = distances <= np.nanquantile(distances, FITTED_SHARE)
    return distances.tolist()


def cut_patches(mels: Sequence[NDArray[np.float32]]) -> list[Patches]:
    """Cut log-mels (F, n_mels) into patches in [-1, 1], without pauses.

    Each band is normalised over all mels.
    """
    n = sum(len(mel) for mel in mels)
    mean = sum(mel.sum(0, dtype=np.float64) for mel in mels) / n
    variance = sum(np.square(mel - mean).sum(0) for mel in mels) / n
    std = np.maximum(np.sqrt(variance), MIN_MEL_STD)

    def cut(mel: NDArray[np.float32]) -> Patches:
        bands = ((mel - mean) / std).reshape(len(mel), SIDE, -1).mean(2)
        if len(bands) < SIDE:
            return np.zeros((0, SIDE * SIDE), np.float32)
        patches = sliding_window_view(bands, SIDE, axis=0)[::HOP]  # (N, bands, frames)
        loud = patches[patches.mean((1, 2)) > MIN_LEVEL]
        return np.clip(loud / RANGE, -1, 1).reshape(-1, SIDE * SIDE).astype(np.float32)

    return [cut(mel) for mel in mels]


class Components(NamedTuple):
    """Principal components: the mean patch (SIDE^2,), and (SIDE^2, 16) with their deviations."""

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    std: NDArray[np.float64]

    def project(self, patches: Patches) -> NDArray[np.float64]:
        """Return latents (N, 16), of unit deviation over the patches of the fit."""
        return (patches - self.mean) @ self.directions / self.std


def fit_components(patches: Sequence[Patches]) -> Components:
    """Fit the principal components of the patches of several clips."""
    n = sum(len(part) for part in patches)
    mean = sum(part.sum(0, dtype=np.float64) for part in patches) / n
    square = sum((part.T @ part).astype(np.float64) for part in patches) / n
    variances, directions = np.linalg.eigh(square - np.outer(mean, mean))  # the largest last
    std = np.sqrt(np.maximum(variances[-N_LATENT:], 1e-9))
    return Components(mean, directions[:, -N_LATENT:], std)


def divergence(latents: NDArray[np.float64]) -> float:
    """Return the Kullback-Leibler divergence of the Gaussian of latents (N, D) from N(0, I).

    Few latents settle no Gaussian: mean and covariance are shrunk by 30 latents of N(0, I). The
    norm of latents, the KL term of a VAE, is the part of it that lacks the determinant, and misses
    clips with fewer sounds than usual, such as noisy ones.
    """
    n, d = latents.shape
    mean = latents.sum(0) / (n + PATCH_PRIOR)
    square = (latents.T @ latents + PATCH_PRIOR * np.eye(d)) / (n + PATCH_PRIOR)
    log_det = np.linalg.slogdet(square - np.outer(mean, mean))[1]
    return float(0.5 * (np.trace(square) - d - log_det))
