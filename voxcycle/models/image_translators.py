"""Generators that translate images: the U-Net of pix2pix and the ResNet of CycleGAN.

Images are (B, C, H, W) in [-1, 1]. Every normalisation is per image, so that a picture does not
depend on its batch, and averaged weights need no statistics of their own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """Down to a bottleneck and up again, with a skip between mirrored layers.

    Isola et al. (2017), section 3.2.1 and appendix 6.1.1: 4 x 4 kernels of stride 2, the width
    doubled up to eightfold. Departure: no dropout, hence no noise; the authors found theirs to
    change little.

    Args:
        width: channels of the first layer.
        n_down: halvings; height and width are multiples of 2 ** n_down.
    """

    def __init__(self, n_channels: int = 3, width: int = 32, n_down: int = 4) -> None:
        super().__init__()
        widths = [width * min(2**i, 8) for i in range(n_down)]
        sizes = [n_channels, *widths]
        self.down = nn.ModuleList(nn.Conv2d(sizes[i], sizes[i + 1], 4, 2, 1) for i in range(n_down))
        self.up = nn.ModuleList(  # but for the innermost, each is also given the mirrored layer's
            nn.ConvTranspose2d((1 if i == n_down - 1 else 2) * sizes[i + 1], sizes[i], 4, 2, 1)
            for i in range(n_down)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Translate (B, C, H, W); the result has the same shape."""
        _check_multiple(images, 2 ** len(self.down))
        x, skips = images, []
        for i, layer in enumerate(self.down):
            x = layer(x if i == 0 else F.leaky_relu(x, 0.2))
            if 0 < i < len(self.down) - 1:  # the outermost and innermost have none
                x = F.instance_norm(x)
            skips.append(x)
        x = skips.pop()
        for i in reversed(range(len(self.up))):
            x = self.up[i](F.relu(x))
            if i:
                x = torch.cat([F.instance_norm(x), skips.pop()], 1)
        return x.tanh()


class ResNetGenerator(nn.Sequential):
    """Two halvings, residual blocks, two doublings; 7 x 7 kernels at both ends.

    Zhu et al. (2017), appendix 7.2 (c7s1-f, d2f, d4f, R4f ..., u2f, uf, c7s1-C), after Johnson et
    al. (2016). Departure: what comes out is added to the images, in place of a tanh. Without that
    nearly all of a short training goes into learning to copy.

    Args:
        width: f, channels of the first layer.
    """

    def __init__(self, n_channels: int = 3, width: int = 32, n_blocks: int = 3) -> None:
        f = width
        super().__init__(
            nn.Conv2d(n_channels, f, 7, padding=3, padding_mode="reflect"),
            *_normalised(f),
            nn.Conv2d(f, 2 * f, 3, stride=2, padding=1),
            *_normalised(2 * f),
            nn.Conv2d(2 * f, 4 * f, 3, stride=2, padding=1),
            *_normalised(4 * f),
            *(ResidualBlock(4 * f) for _ in range(n_blocks)),
            nn.ConvTranspose2d(4 * f, 2 * f, 3, stride=2, padding=1, output_padding=1),
            *_normalised(2 * f),
            nn.ConvTranspose2d(2 * f, f, 3, stride=2, padding=1, output_padding=1),
            *_normalised(f),
            nn.Conv2d(f, n_channels, 7, padding=3, padding_mode="reflect"),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Translate (B, C, H, W), H and W multiples of 4; the result may pass -1 and 1 a little."""
        _check_multiple(images, 4)
        return images + super().forward(images)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around which the input is led."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"),
            *_normalised(width),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus its correction, (B, width, H, W)."""
        return x + self.layers(x)


def _normalised(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(width), nn.ReLU(inplace=True)


def _check_multiple(images: Tensor, multiple: int) -> None:
    height, width = images.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(
            f"images of {width} x {height}: sides must be multiples of {multiple}; set size"
        )
