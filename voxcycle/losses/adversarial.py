"""Adversarial losses on raw scores (no sigmoid), and penalties on gradients."""

from collections.abc import Callable, Sequence
from typing import Any

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


def r1_penalty(discriminator: Callable[..., Tensor], images: Tensor, *cond: Any) -> Tensor:
    """E |grad_x D(x)|^2 on real images: R1, Mescheder et al. (2018), eq. 9 without gamma / 2.

    Images are (B, C, H, W), `cond` further inputs of the discriminator. The score of an image may
    depend on other images too.
    """
    images = images.detach().requires_grad_()
    scores = discriminator(images, *cond)
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def path_lengths(images: Tensor, styles: Tensor, noise: Tensor) -> Tensor:
    """|J_w^T y|, how far images move with their styles: Karras et al. (2020), eq. 4.

    Images (B, C, H, W) are made of styles (B, n_layers, n_style), which require gradients; noise is
    y, standard normal. Returns (B,), root mean square over the layers, per root of the pixels.
    """
    y = noise / (images.shape[2] * images.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((images * y).sum(), styles, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()
