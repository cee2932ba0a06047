"""The sounds of a folder as small images, a VAE of them, and which are rare among them.

Patches of mels, a quarter of a second long, without pauses. What the VAE of `methods/vae.py` makes
of them tells clips that do not belong (`strangers.py`), and where the sounds are that a training
would hardly see: `methods/resampling.py`, which evens out faces, applied to speech.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.audio.stats import MIN_MEL_STD
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.resampling import resampling_weights
from voxcycle.methods.vae import VAE
from voxcycle.models.coders import build_decoder, build_encoder
from voxcycle.training.state import TrainingState

SIDE = 20  # of a patch: bands, and frames of 12 ms
HOP = 5  # frames between patches
MIN_LEVEL = -1.0  # deviations; below, a patch is a pause
RANGE = 3.0  # deviations that a pixel shows
WIDTH, N_LATENT, N_STEPS, BATCH = 256, 16, 600, 128
SMOOTHING = 0.001  # alpha of the resampling


def cut_patches(mels: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Cut log-mels (F, n_mels) into images (N, 1, 20, 20) in [-1, 1], without pauses.

    Each band is normalised over all of them. With the images come the frames at which they begin.
    """
    everything = torch.cat(list(mels))
    mean, std = everything.mean(0), everything.std(0).clamp(min=MIN_MEL_STD)
    return [_cut((mel - mean) / std) for mel in mels]


def _cut(mel: Tensor) -> tuple[Tensor, Tensor]:
    bands = mel.unflatten(1, (SIDE, -1)).mean(2)
    if len(bands) < SIDE:
        return bands.new_zeros(0, 1, SIDE, SIDE), torch.zeros(0, dtype=torch.long)
    patches = bands.unfold(0, SIDE, HOP)  # (N, bands, frames)
    (loud,) = torch.where(patches.mean((1, 2)) > MIN_LEVEL)
    return (patches[loud] / RANGE).clamp(-1, 1)[:, None].clone(), HOP * loud


def train_vae(patches: Tensor, seed: int) -> VAE:
    """Train the VAE of `methods/vae.py` on images (N, 1, 20, 20), for a few seconds."""
    shape = (1, SIDE, SIDE)
    drawn = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = build_encoder("mlp", shape, WIDTH, 2 * N_LATENT)
        module = TrainingState(VAE(encoder, build_decoder("mlp", shape, WIDTH, N_LATENT), N_LATENT))
    for step in range(N_STEPS):
        images = patches[torch.randint(len(patches), (BATCH,), generator=drawn)]
        batch = ImageBatch(images, torch.zeros(BATCH, 1), step, step)
        module.run_phases(batch)
        module.steps_done += 1
    vae = module.method
    assert isinstance(vae, VAE)
    return vae.eval().requires_grad_(False)


def weigh_crops(
    mels: Sequence[NDArray[np.floating]], n_frames: int, seed: int
) -> list[NDArray[np.float64]]:
    """Return how often a crop should begin at every frame of log-mels (F, n_mels), 1 in all.

    A patch weighs more the rarer it is in some latent, a pause as little as the most usual patch;
    a crop weighs the mean of its frames. Recordings shorter than a crop have one place.
    """
    cut = cut_patches([torch.from_numpy(np.asarray(mel, np.float32)) for mel in mels])
    patches = torch.cat([images for images, _ in cut])
    latents, _ = train_vae(patches, seed).posterior(patches)
    weights = resampling_weights(latents, SMOOTHING).numpy()
    usual = weights.min()
    places = []
    for mel, (_, starts) in zip(mels, cut, strict=True):
        own, weights = np.split(weights, [len(starts)])
        of_frames = np.full(len(mel), usual)
        for weight, start in zip(own, starts.numpy() + (SIDE - HOP) // 2, strict=True):
            of_frames[start : start + HOP] = weight
        sums = np.concatenate([[0], of_frames.cumsum()])
        n_places = max(1, len(mel) - n_frames + 1)
        places.append(sums[-n_places:] - sums[:n_places])
    total = sum(weight.sum() for weight in places)
    return [weight / total for weight in places]
