"""Adversarial losses on raw scores (no sigmoid)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def minmax_value(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """V(D, G) of Goodfellow et al. (2014), eq. 1: E ln D(x) + E ln(1 - D(G(z))).

    Scores are the logits of D. The discriminator maximises V; its optimum against a perfect
    generator is D = 1/2 everywhere with V = -ln 4 (theorem 1).
    """
    return -F.softplus(-real_scores).mean() + minmax_generator_loss(fake_scores)


def minmax_generator_loss(fake_scores: Tensor) -> Tensor:
    """E ln(1 - D(G(z))), the generator's part of V, which it minimises.

    It saturates: its gradient with respect to the logit is -D(G(z)), nothing where the
    discriminator is sure.
    """
    return -F.softplus(fake_scores).mean()


def non_saturating_generator_loss(fake_scores: Tensor) -> Tensor:
    """-E ln D(G(z)), Goodfellow et al. (2014), section 3.

    The same fixed point as the min-max game; the gradient with respect to the logit is
    D(G(z)) - 1, full where the discriminator is sure.
    """
    return F.softplus(-fake_scores).mean()


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
