"""Scores that should be higher for examples unlike the training data, and how well they separate.

A likelihood can be higher for outliers than for training data (Nalisnick et al., 2019): show the
scores side by side. They work for anything shaped like images (B, C, H, W) in [-1, 1], crops of
normalised log-mels included.
"""

import torch
from torch import Tensor

from voxcycle.losses.elbo import kl_to_standard_normal
from voxcycle.methods.vae import VAE

BATCH = 500
N_IMPORTANCE = 16  # draws of the importance-weighted bound


@torch.no_grad()
def outlier_scores(model: VAE, images: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Return each score (N,) of images (N, C, H, W) by a model of usual ones; higher is stranger.

    The seed is that of the draws of the latents.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for batch in images.split(BATCH):
        mu, log_var = model.posterior(batch)
        noise = torch.randn(N_IMPORTANCE, len(batch), model.n_latent, generator=generator)
        noise = noise.to(batch.device)
        reconstruction, kl = model.elbo_terms(batch, noise[0])
        reconstructed = model.reconstruct(batch)
        parts.append(
            {
                "reconstruction error": (reconstructed - batch).square().flatten(1).mean(1),
                "unexplained share": unexplained_share(batch, reconstructed),
                "-ELBO": reconstruction + kl,
                "KL": kl_to_standard_normal(mu, log_var),
                "latent norm": mu.square().sum(1),
                f"-bound, {N_IMPORTANCE} draws": -model.log_likelihood_bound(batch, noise),
            }
        )
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def unexplained_share(images: Tensor, reconstructed: Tensor) -> Tensor:
    """Return the variance of the residual over that of the image, (B,): 1 where nothing is known.

    Unlike the error it cannot tell black images from grey ones: even an untrained network, which
    paints grey, has a larger error on the black ones.
    """
    residual = (images - reconstructed).flatten(1).var(1)
    return residual / images.flatten(1).var(1).clamp(min=1e-6)


def distance_to_mean(images: Tensor, usual: Tensor) -> Tensor:
    """Return the mean squared distance (N,) to the mean of the usual images: needs no model."""
    return (images - usual.mean(0)).square().flatten(1).mean(1)


def area_under_curve(usual: Tensor, strange: Tensor) -> float:
    """Return the chance that a strange one scores above a usual one, ties counted half (AUROC)."""
    ordered = usual.sort().values
    below = torch.searchsorted(ordered, strange)
    up_to = torch.searchsorted(ordered, strange, right=True)
    return float((below + up_to).double().mean() / (2 * len(usual)))


def roc_curve(usual: Tensor, strange: Tensor) -> tuple[Tensor, Tensor]:
    """Return false and true alarm rates for thresholds from high to low, from (0, 0) to (1, 1)."""
    thresholds = torch.cat([usual, strange]).unique().flip(0)
    rates = []
    for scores in (usual, strange):
        n_below = torch.searchsorted(scores.sort().values, thresholds)
        rates.append(torch.cat([torch.zeros(1), 1 - n_below / len(scores)]))
    return rates[0], rates[1]
