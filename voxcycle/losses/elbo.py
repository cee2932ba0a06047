"""The evidence lower bound and its parts: one number per example, in nats."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def kl_to_standard_normal(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mu, exp(log_var)) || N(0, 1)), Kingma and Welling (2014), appendix B.

    Of (B, n_latent) each; returns (B,), summed over the latents.
    """
    return 0.5 * (mu.square() + log_var.exp() - log_var - 1).sum(1)


def bernoulli_negative_log_likelihood(logits: Tensor, images: Tensor) -> Tensor:
    """-ln p(x | z) of images in [-1, 1] under one Bernoulli variable per pixel value.

    Grey pixels count as probabilities: the value of the best decoder is their entropy, not 0. Both
    are (B, C, H, W); returns (B,), summed over pixels and channels.
    """
    targets = (images + 1) / 2
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").flatten(1).sum(1)


def normal_log_density(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Ln N(z; mu, exp(log_var)) summed over the last axis."""
    error = (z - mu).square() / log_var.exp()
    return -0.5 * (error + log_var + math.log(2 * math.pi)).sum(-1)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """Ln (1/K) sum_k w_k, Burda et al. (2016), eq. 8: a bound (B,) that tightens with K.

    The weights are (K, B), ln p(x, z_k) - ln q(z_k | x).
    """
    return torch.logsumexp(log_weights, 0) - math.log(len(log_weights))
