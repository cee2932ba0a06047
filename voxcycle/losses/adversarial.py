"""Adversarial losses on raw scores (no sigmoid)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def least_squares_generator_loss(fake_scores: Tensor) -> Tensor:
    """LSGAN, Mao et al. (2017), eq. 9 with c = 1, its factor 1/2 left to the weight."""
    return (fake_scores - 1).square().mean()


def least_squares_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """LSGAN, Mao et al. (2017), eq. 9 with b = 1 and a = 0, the factor 1/2 included."""
    return 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())


def feature_matching_loss(
    fake_features: Sequence[Tensor], real_features: Sequence[Tensor]
) -> Tensor:
    """Mean absolute difference of a discriminator's hidden layers, Kumar et al. (2019), eq. 5."""
    pairs = zip(fake_features, real_features, strict=True)
    return torch.stack([(fake - real.detach()).abs().mean() for fake, real in pairs]).mean()


def non_saturating_generator_loss(fake_scores: Tensor) -> Tensor:
    """-ln D(G(z)) with D the sigmoid of the score, Goodfellow et al. (2014), end of section 3."""
    return F.softplus(-fake_scores).mean()


def logistic_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """-ln D(x) - ln(1 - D(G(z))), Goodfellow et al. (2014), eq. 1; 2 ln 2 where D cannot tell."""
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()
