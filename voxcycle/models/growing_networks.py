"""Generator and discriminator that grow: Karras et al. (2018), Progressive Growing of GANs.

All blocks exist from the start. Stage i works at `last_side << i` pixels; while it fades in,
`alpha` goes from 0, the former stage upsampled, to 1, the new block alone (figure 2 of the paper).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.models.coders import Shape, last_side, n_halvings

SLOPE = 0.2  # of the leaky ReLU
GROUP = 4  # images among which the minibatch deviation is taken
EPSILON = 1e-8


class EqualizedLinear(nn.Module):
    """A linear layer whose weights are stored at unit variance and scaled when used (section 4.1).

    Args:
        bias: start value of the bias.
        gain: on top of 1 / sqrt(n_in): sqrt(2) before a leaky ReLU.
        lr_multiplier: learning rate of this layer relative to that of others.
    """

    def __init__(
        self, n_in: int, n_out: int, bias: float = 0.0, gain: float = 1.0, lr_multiplier: float = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((n_out,), bias / lr_multiplier))
        self.scale, self.lr_multiplier = gain * lr_multiplier / math.sqrt(n_in), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)


class EqualizedConv2d(nn.Module):
    """The same for a convolution that keeps height and width; arguments as there."""

    def __init__(self, n_in: int, n_out: int, kernel: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.scale = gain / math.sqrt(n_in * kernel**2)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, H, W) to (B, n_out, H, W)."""
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class PixelNorm(nn.Module):
    """Brings every pixel's feature vector to a mean square of 1 (section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, ...) over C."""
        return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


class MinibatchStd(nn.Module):
    """Adds a plane with the mean deviation within groups of the batch (section 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C + 1, H, W); groups are `GROUP` images that follow each other.

        Where B is no multiple of it, they are as large as the common divisor.
        """
        group = math.gcd(GROUP, len(x))
        grouped = x.unflatten(0, (-1, group))  # (B / group, group, C, H, W)
        deviation = (grouped.var(1, unbiased=False) + EPSILON).sqrt().mean((1, 2, 3))
        plane = deviation.repeat_interleave(group)[:, None, None, None]
        return torch.cat([x, plane.expand(-1, 1, *x.shape[2:])], 1)


def stage_widths(shape: Shape, width: int, max_width: int) -> list[int]:
    """Return the channels of every stage: `width` at the last, doubled below up to `max_width`."""
    n = n_halvings(shape)
    return [min(max_width, width << (n - i)) for i in range(n + 1)]


def upsample(x: Tensor) -> Tensor:
    """Double height and width by nearest neighbours."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def downsample(x: Tensor, n_times: int = 1) -> Tensor:
    """Halve height and width n times by means of 2 x 2 pixels."""
    return F.avg_pool2d(x, 1 << n_times) if n_times else x


def _convolve(n_in: int, n_out: int, normalizes: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [EqualizedConv2d(n_in, n_out, 3), nn.LeakyReLU(SLOPE)]
    return [*layers, PixelNorm()] if normalizes else layers


class ProgressiveGenerator(nn.Module):
    """Latents to images at any stage (table 2 of the paper, narrower).

    Args:
        shape: of the images of the last stage.
        widths: channels of every stage.
        first: stage at which training begins; stages below it have no output layer.
    """

    def __init__(self, shape: Shape, widths: Sequence[int], n_latent: int, first: int = 0) -> None:
        super().__init__()
        side = last_side(shape)
        # the paper's gain for the first layer, as 4 x 4 = 16 outputs share each input
        self.first_layer = nn.Sequential(
            PixelNorm(),
            EqualizedLinear(n_latent, widths[0] * side**2, gain=math.sqrt(2) / 4),
            nn.Unflatten(1, (widths[0], side, side)),
            nn.LeakyReLU(SLOPE),
            PixelNorm(),
            *_convolve(widths[0], widths[0], True),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*_convolve(n_in, n_out, True), *_convolve(n_out, n_out, True))
            for n_in, n_out in zip(widths[:-1], widths[1:], strict=True)
        )
        stages = list(enumerate(widths))[first:]
        to_rgb = {str(i): EqualizedConv2d(n, shape[0], 1, gain=1.0) for i, n in stages}
        self.to_rgb = nn.ModuleDict(to_rgb)

    def forward(self, z: Tensor, stage: int, alpha: float = 1.0) -> Tensor:
        """Return images (B, C, H, W) of latents (B, n_latent) at a stage; below 1 it fades in."""
        before = x = self.first_layer(z)
        for block in self.blocks[:stage]:
            before = x
            x = block(upsample(x))
        images = self.to_rgb[str(stage)](x)
        if alpha < 1:
            images = torch.lerp(upsample(self.to_rgb[str(stage - 1)](before)), images, alpha)
        return images


class ProgressiveDiscriminator(nn.Module):
    """Images at any stage to scores: the mirror of the generator, without pixel norm.

    Arguments as there; stages below the first have no input layer.
    """

    def __init__(self, shape: Shape, widths: Sequence[int], first: int = 0) -> None:
        super().__init__()
        self.from_rgb = nn.ModuleDict()
        for i, n in list(enumerate(widths))[first:]:
            conv = EqualizedConv2d(shape[0], n, 1)
            self.from_rgb[str(i)] = nn.Sequential(conv, nn.LeakyReLU(SLOPE))
        self.blocks = nn.ModuleList()
        for n_out, n_in in zip(widths[:-1], widths[1:], strict=True):
            layers = [*_convolve(n_in, n_in, False), *_convolve(n_in, n_out, False)]
            self.blocks.append(nn.Sequential(*layers, nn.AvgPool2d(2)))
        n = widths[0]
        self.last_layer = nn.Sequential(
            MinibatchStd(),
            *_convolve(n + 1, n, False),
            nn.Flatten(),
            EqualizedLinear(n * last_side(shape) ** 2, n, gain=math.sqrt(2)),
            nn.LeakyReLU(SLOPE),
            EqualizedLinear(n, 1),
        )

    def forward(self, images: Tensor, stage: int, alpha: float = 1.0) -> Tensor:
        """Return raw scores (B, 1) of images (B, C, H, W) of a stage."""
        x = self.from_rgb[str(stage)](images)
        for i in range(stage, 0, -1):
            x = self.blocks[i - 1](x)
            if i == stage and alpha < 1:
                x = torch.lerp(self.from_rgb[str(stage - 1)](downsample(images)), x, alpha)
        return self.last_layer(x)
