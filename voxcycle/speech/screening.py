"""Which clips do not belong with the others: another speaker, music, noise.

Two scores compare each clip with all others: the distance of its speaker embedding from the median
one, and the latent norm that a VAE, trained for seconds on patches of these same clips, gives its
sounds. Both need no knowledge of the speaker, and both assume that most clips belong.
`prepare.py` drops the outliers, and before them what `screening_quality.py` calls unusable.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.resample import resample
from voxcycle.audio.stats import MIN_MEL_STD
from voxcycle.evaluation.metrics.similarity import centroid
from voxcycle.evaluation.optional_deps import METRIC_RATE, has_metrics, import_metric
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.outliers import BATCH as SCORED_BATCH
from voxcycle.methods.vae import VAE
from voxcycle.models.coders import build_decoder, build_encoder
from voxcycle.speech.features import load_analysis_waveform
from voxcycle.training.state import TrainingState

MIN_CLIPS = 20  # fewer do not show what is usual
MAX_SCORE = 20.0
MIN_COSINE_SCALE, MIN_LOG_F0_SCALE = 0.02, 0.05  # clips of one speaker vary at least this much
MIN_NORM_SCALE = 0.1  # of the median

# Patches of mels, a quarter of a second long, and the VAE of them.
SIDE = 20  # of a patch: bands, and frames of 12 ms
HOP = 5  # frames between patches
MIN_LEVEL = -1.0  # deviations; below, a patch is a pause
RANGE = 3.0  # deviations that a pixel shows
WIDTH, N_LATENT, N_STEPS, BATCH = 256, 16, 600, 128
SEED = 0


class OutlierScore(NamedTuple):
    """Distance of a clip from the others in robust deviations, 0 below the median."""

    voice: float  # by the speaker embedding; without the extra `[eval]`, by the median of log F0
    sound: float  # by the VAE

    @property
    def total(self) -> float:
        """Both together."""
        return float(np.hypot(self.voice, self.sound))


def compare_clips(paths: Sequence[Path]) -> list[float]:
    """Return `OutlierScore.total` of recordings of at least a second, for `prepare_folder`."""
    spec = MelSpec()
    clips = [load_analysis_waveform(path, spec) for path in paths]
    return [score.total for score in score_clips(clips, spec)]


def score_clips(clips: Sequence[NDArray[np.float32]], spec: MelSpec) -> list[OutlierScore]:
    """Score clips (T,) at the rate of `spec`, levelled; zeros where there are fewer than 20."""
    if len(clips) < MIN_CLIPS:
        return [OutlierScore(0.0, 0.0)] * len(clips)
    if has_metrics():
        voice = deviations(voice_distances(clips, spec), MIN_COSINE_SCALE)
    else:
        voice = deviations(pitch_distances(clips, spec), MIN_LOG_F0_SCALE)
    norms = latent_norms(clips, spec)
    sound = deviations(norms, MIN_NORM_SCALE * float(np.nanmedian(norms)))
    return [OutlierScore(*pair) for pair in zip(voice, sound, strict=True)]


def deviations(distances: Sequence[float], min_scale: float) -> list[float]:
    """Return how far above the median each one is, in units of the median absolute deviation.

    Times 1.4826, the standard deviation where they are normal; NaN counts as the farthest. The unit
    is at least `min_scale`, so that small differences among clips that are all alike do not count.
    """
    values = np.asarray(distances, float)
    middle = np.nanmedian(values)
    scale = 1.4826 * np.nanmedian(np.abs(values - middle))
    scores = np.nan_to_num((values - middle) / max(scale, min_scale), nan=MAX_SCORE)
    return np.clip(scores, 0.0, MAX_SCORE).tolist()


def voice_distances(clips: Sequence[NDArray[np.float32]], spec: MelSpec) -> list[float]:
    """Return 1 - cosine to the median of all speaker embeddings.

    The clips go to Resemblyzer's network unchanged: they are levelled and cut at pauses, and its
    package's own preparation leaves too little of short ones to distinguish two actors.
    """
    encoder = import_metric("resemblyzer").VoiceEncoder("cpu", verbose=False)
    speech = (resample(clip, spec.sample_rate, METRIC_RATE) for clip in clips)
    embeddings = np.array([encoder.embed_utterance(clip) for clip in speech])
    return (1 - embeddings @ centroid([np.median(embeddings, axis=0)])).tolist()


def pitch_distances(clips: Sequence[NDArray[np.float32]], spec: MelSpec) -> list[float]:
    """Return the distance of the median of ln F0 from that of all; NaN where nothing is voiced."""
    contours = [extract_f0(clip, spec) for clip in clips]
    middles = [np.median(np.log(f0[f0 > 0])) if (f0 > 0).any() else np.nan for f0 in contours]
    return np.abs(np.array(middles) - np.nanmedian(middles)).tolist()


@torch.no_grad()
def latent_norms(clips: Sequence[NDArray[np.float32]], spec: MelSpec) -> list[float]:
    """Return the mean squared norm of the latents of each clip's patches; NaN without patches."""
    log_mel = LogMel(spec)
    mels = [torch.from_numpy(log_mel(clip)) for clip in clips]  # (F, n_mels)
    patches = cut_patches(mels)
    vae = train_vae(torch.cat(patches))

    def norm(part: Tensor) -> float:
        means = [vae.posterior(images)[0] for images in part.split(SCORED_BATCH)]
        return float(torch.cat([mu.square().sum(1) for mu in means]).mean())

    return [norm(part) if len(part) else np.nan for part in patches]


def cut_patches(mels: Sequence[Tensor]) -> list[Tensor]:
    """Cut log-mels (F, n_mels) into images (N, 1, 20, 20) in [-1, 1], without pauses.

    Each band is normalised over all mels.
    """
    everything = torch.cat(list(mels))
    mean, std = everything.mean(0), everything.std(0).clamp(min=MIN_MEL_STD)

    def cut(mel: Tensor) -> Tensor:
        bands = ((mel - mean) / std).unflatten(1, (SIDE, -1)).mean(2)
        if len(bands) < SIDE:
            return bands.new_zeros(0, 1, SIDE, SIDE)
        patches = bands.unfold(0, SIDE, HOP)  # (N, bands, frames)
        is_loud = patches.mean((1, 2)) > MIN_LEVEL
        return (patches[is_loud] / RANGE).clamp(-1, 1)[:, None].clone()

    return [cut(mel) for mel in mels]


@torch.enable_grad()
def train_vae(patches: Tensor) -> VAE:
    """Train the VAE of `methods/vae.py` on images (N, 1, 20, 20), for a few seconds."""
    shape = (1, SIDE, SIDE)
    drawn = torch.Generator().manual_seed(SEED)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        encoder = build_encoder("mlp", shape, WIDTH, 2 * N_LATENT)
        module = TrainingState(VAE(encoder, build_decoder("mlp", shape, WIDTH, N_LATENT), N_LATENT))
    for step in range(N_STEPS):
        images = patches[torch.randint(len(patches), (BATCH,), generator=drawn)]
        module.run_phases(ImageBatch(images, torch.zeros(BATCH, 1), step, step))
        module.steps_done += 1
    vae = module.method
    assert isinstance(vae, VAE)
    return vae.eval().requires_grad_(False)
