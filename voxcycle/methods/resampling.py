"""Drawing examples with rare latents more often (Amini, Soleimany et al., 2019)."""

from typing import Literal

import torch
from torch import Tensor

N_BINS = 10
Rule = Literal["max", "product"]


def resampling_weights(latents: Tensor, smoothing: float, rule: Rule = "max") -> Tensor:
    """Return how often each example should be drawn, (N,), summing to 1.

    Every latent has a histogram Q_i of ten bins; an example weighs 1 / (Q_i(z) + alpha). Densities
    are shares of the examples, so that alpha means the same for a wide latent and a narrow one.

    Args:
        latents: (N, n_latent), means of the posteriors.
        smoothing: alpha; 0.001 favours rare examples, 1,000 none.
        rule: "product" over latents is the paper's (algorithm 1): over many latents a few examples
            get all the weight. "max" takes the latent in which the example is rarest, as the
            authors' own lecture does.
    """
    factors = torch.stack([_rarity(latent, smoothing) for latent in latents.double().T])
    factors = factors / factors.sum(1, keepdim=True)
    if rule == "max":
        weights = factors.amax(0)
    else:
        logs = factors.log().sum(0)
        weights = (logs - logs.max()).exp()
    return weights / weights.sum()


def _rarity(latent: Tensor, smoothing: float) -> Tensor:
    low, high = float(latent.min()), float(latent.max())
    if low == high:  # a constant latent carries no information
        return torch.ones_like(latent)
    bins = ((latent - low) / (high - low) * N_BINS).long().clamp(max=N_BINS - 1)
    shares = torch.bincount(bins, minlength=N_BINS) / len(latent)
    return 1 / (shares[bins].double() + smoothing)


def effective_sample_size(weights: Tensor) -> float:
    """Return (sum w)^2 / sum w^2: the number of evenly drawn examples with the same variance."""
    return float(weights.sum().square() / weights.square().sum())
