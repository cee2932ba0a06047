"""Penalties on gradients: of a discriminator by its images, of a generator by its styles."""

import torch
from torch import Tensor


def r1_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """E |grad_x D(x)|^2 on real images: R1, Mescheder et al. (2018), eq. 9 without gamma / 2.

    Args:
        scores: (B, 1), of `images`; an image's score may depend on other images too.
        images: (B, C, H, W), which require gradients.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def path_lengths(images: Tensor, styles: Tensor, noise: Tensor) -> Tensor:
    """|J_w^T y|, how far images move with their styles: Karras et al. (2020), eq. 4.

    Args:
        images: (B, C, H, W), made of `styles`.
        styles: (B, n_layers, n_style), which require gradients.
        noise: y, standard normal, of the shape of `images`.

    Returns:
        (B,), root mean square over the layers, per square root of the number of pixels.
    """
    y = noise / (images.shape[2] * images.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((images * y).sum(), styles, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()
