"""Encoders and decoders: fully connected for small grey images, convolutional for the rest.

Encoders map images (B, C, H, W) to (B, n_out); decoders map latents (B, n_latent) to (B, C, H, W)
without a last non-linearity.
"""

import math
from typing import Literal

from torch import Tensor, nn

Shape = tuple[int, int, int]
Kind = Literal["mlp", "conv"]


def build_encoder(kind: Kind, shape: Shape, width: int, n_out: int, n_hidden: int = 1) -> nn.Module:
    """Build an encoder for images of a shape (C, H, W); `n_hidden` layers where it is an MLP."""
    if kind == "conv":
        return ConvEncoder(shape, width, n_out)
    return MLPEncoder(shape, width, n_out, n_hidden)


def build_decoder(
    kind: Kind, shape: Shape, width: int, n_latent: int, n_hidden: int = 1
) -> nn.Module:
    """Build a decoder to images of a shape (C, H, W); `n_hidden` layers where it is an MLP."""
    if kind == "conv":
        return ConvDecoder(shape, width, n_latent)
    return MLPDecoder(shape, width, n_latent, n_hidden)


class MLPEncoder(nn.Sequential):
    """Hidden layers of one width."""

    def __init__(self, shape: Shape, width: int, n_out: int, n_hidden: int = 1) -> None:
        widths = [math.prod(shape), *[width] * n_hidden]
        super().__init__(nn.Flatten(), *_hidden_layers(widths), nn.Linear(width, n_out))


class MLPDecoder(nn.Sequential):
    """Hidden layers of one width."""

    def __init__(self, shape: Shape, width: int, n_latent: int, n_hidden: int = 1) -> None:
        super().__init__(
            *_hidden_layers([n_latent, *[width] * n_hidden]),
            nn.Linear(width, math.prod(shape)),
            nn.Unflatten(1, shape),
        )


def _hidden_layers(widths: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return layers


class ConvEncoder(nn.Sequential):
    """Strided convolutions down to `last_side`, then one linear layer.

    Args:
        shape: of the images, see `n_halvings`.
        width: channels of the first layer, doubled at each further one.
        n_out: outputs.
    """

    def __init__(self, shape: Shape, width: int, n_out: int) -> None:
        n_layers = n_halvings(shape)
        widths = [shape[0], *(width << i for i in range(n_layers))]
        layers: list[nn.Module] = []
        for n_in, n_hidden in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(n_in, n_hidden, 4, 2, 1), nn.BatchNorm2d(n_hidden), nn.ReLU()]
        super().__init__(
            *layers, nn.Flatten(), nn.Linear(last_side(shape) ** 2 * widths[-1], n_out)
        )


class ConvDecoder(nn.Sequential):
    """The mirror of `ConvEncoder`."""

    def __init__(self, shape: Shape, width: int, n_latent: int) -> None:
        n_layers = n_halvings(shape)
        widths = [shape[0], *(width << i for i in range(n_layers))][::-1]
        layers: list[nn.Module] = []
        for i, (n_hidden, n_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            layers += [nn.ReLU(), nn.ConvTranspose2d(n_hidden, n_out, 4, 2, 1)]
            if i < n_layers - 1:
                layers.append(nn.BatchNorm2d(n_out))
        side = last_side(shape)
        super().__init__(
            nn.Linear(n_latent, side**2 * widths[0]),
            nn.Unflatten(1, (widths[0], side, side)),
            *layers,
        )


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
