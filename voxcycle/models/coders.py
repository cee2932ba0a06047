"""Encoders and decoders, fully connected or convolutional, and the classifier of several factors.

Encoders map images (B, C, H, W) to (B, n_out); decoders map latents (B, n_latent) to (B, C, H, W)
without a last non-linearity. Convolutions halve the sides until they are `last_side`; the channels
of the first layer are doubled at each further one.
"""

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

Shape = tuple[int, int, int]
Kind = Literal["mlp", "conv"]
N_FEATURES = 64  # of the classifier


def build_encoder(
    kind: Kind, shape: Shape, width: int, n_out: int, n_hidden: int = 1
) -> nn.Sequential:
    """Build an encoder for images of a shape (C, H, W); `n_hidden` layers where it is an MLP."""
    if kind == "conv":
        return nn.Sequential(*halving_layers(shape, width, n_out, nn.ReLU()))
    widths = [math.prod(shape), *[width] * n_hidden]
    return nn.Sequential(nn.Flatten(), *_hidden_layers(widths), nn.Linear(width, n_out))


def build_decoder(
    kind: Kind, shape: Shape, width: int, n_latent: int, n_hidden: int = 1
) -> nn.Sequential:
    """Build the mirror of an encoder, from latents to images of a shape (C, H, W)."""
    if kind == "mlp":
        hidden = _hidden_layers([n_latent, *[width] * n_hidden])
        out = nn.Linear(width, math.prod(shape))
        return nn.Sequential(*hidden, out, nn.Unflatten(1, shape))
    widths, side = list_widths(shape, width)[::-1], last_side(shape)
    layers: list[nn.Module] = []
    for i, n_out in enumerate(widths[1:]):
        layers += [nn.ReLU(), nn.ConvTranspose2d(widths[i], n_out, 4, 2, 1)]
        if i < len(widths) - 2:
            layers.append(nn.BatchNorm2d(n_out))
    first = nn.Linear(n_latent, side**2 * widths[0])
    return nn.Sequential(first, nn.Unflatten(1, (widths[0], side, side)), *layers)


def _hidden_layers(widths: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return layers


def halving_layers(
    shape: Shape, width: int, n_out: int, activation: nn.Module, *, normalizes_first: bool = True
) -> list[nn.Module]:
    """Return strided convolutions with batch norm, then a linear layer to (B, n_out).

    Without `normalizes_first` the first convolution has no batch norm.
    """
    widths = list_widths(shape, width)
    layers: list[nn.Module] = []
    for i, n_hidden in enumerate(widths[1:]):
        layers.append(nn.Conv2d(widths[i], n_hidden, 4, 2, 1))
        if i or normalizes_first:
            layers.append(nn.BatchNorm2d(n_hidden))
        layers.append(activation)
    return [*layers, nn.Flatten(), nn.Linear(last_side(shape) ** 2 * widths[-1], n_out)]


def list_widths(shape: Shape, width: int) -> list[int]:
    """Return the channels of the images and of every convolution."""
    return [shape[0], *(width << i for i in range(n_halvings(shape)))]


def n_halvings(shape: Shape) -> int:
    """Return how often a side is halved until it is 4 to 7; ValueError where that cannot be."""
    _, height, width = shape
    n = height.bit_length() - 3
    if height != width or n < 1 or height % (1 << n):
        raise ValueError(
            f"images of {width} x {height}: convolutions need squares whose sides are 4, 5, 6 or 7 "
            "times 2, 4, 8 ..; set size"
        )
    return n


def last_side(shape: Shape) -> int:
    """Return the side after `n_halvings`: 4 of 32 pixels, 7 of 28."""
    return shape[1] >> n_halvings(shape)


def to_images(logits: Tensor) -> Tensor:
    """Return the images in [-1, 1] whose pixels' probabilities have these logits."""
    return 2 * logits.sigmoid() - 1


class Classifier(nn.Module):
    """Strided convolutions to a layer of features that compare images; a linear head per factor.

    `n_values` says how many values each factor has.
    """

    def __init__(self, shape: Shape, n_values: Sequence[int], width: int = 32) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*halving_layers(shape, width, N_FEATURES, nn.LeakyReLU(0.2)))
        self.heads = nn.ModuleList(nn.Linear(N_FEATURES, n) for n in n_values)

    def features(self, images: Tensor) -> Tensor:
        """Return (B, N_FEATURES) of images (B, C, H, W) in [-1, 1]."""
        return self.trunk(images)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the logits (B, n) of every factor."""
        features = self.features(images).relu()
        return [head(features) for head in self.heads]
