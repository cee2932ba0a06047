"""StyleGAN's generator: a mapping network, and a synthesis network that its styles modulate.

Karras et al. (2019), section 2, with the modulation and demodulation of weights of Karras et al.
(2020), section 2, in place of adaptive instance normalisation. Pixels come out of the last layer
alone, as in 2019: where every size adds its own, as in 2020, coarse styles decide the colours too.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.models.coders import Shape, last_side
from voxcycle.models.growing_networks import EPSILON, SLOPE, EqualizedLinear, PixelNorm

MAPPING_LR_MULTIPLIER = 0.01  # the mapping network learns this much slower (2019, appendix C)


class MappingNetwork(nn.Sequential):
    """Latents z (B, n_latent) to styles w (B, n_latent)."""

    def __init__(self, n_latent: int, n_layers: int) -> None:
        layers: list[nn.Module] = []
        slow = {"gain": math.sqrt(2), "lr_multiplier": MAPPING_LR_MULTIPLIER}
        for _ in range(n_layers):
            layers += [EqualizedLinear(n_latent, n_latent, **slow), nn.LeakyReLU(SLOPE)]
        super().__init__(PixelNorm(), *layers)


class ModulatedConv2d(nn.Module):
    """A convolution whose weights each image scales: Karras et al. (2020), eq. 1 and 3.

    Scaling input and output channels instead of weights comes to the same, for all images at once.

    With `demodulates` outputs are brought back to the deviation of the inputs.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: int, n_style: int, demodulates: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in, kernel, kernel))
        self.scale = 1 / math.sqrt(n_in * kernel**2)
        self.to_scales = EqualizedLinear(n_style, n_in, bias=1.0)
        self.demodulates = demodulates

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map (B, n_in, H, W) with styles (B, n_style) to (B, n_out, H, W)."""
        weight = self.weight * self.scale
        scales = self.to_scales(w)  # s_i, (B, n_in)
        y = F.conv2d(x * scales[:, :, None, None], weight, padding=weight.shape[-1] // 2)
        if self.demodulates:
            norms = (scales.square() @ weight.square().sum((2, 3)).T + EPSILON).rsqrt()
            y = y * norms[:, :, None, None]  # (B, n_out): 1 / sqrt(sum of (s_i w_ijk)^2 + eps)
        return y


class StyledLayer(nn.Module):
    """A modulated convolution, noise, bias and leaky ReLU; if wanted, upsampled before."""

    def __init__(self, n_in: int, n_out: int, n_style: int, doubles: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(n_in, n_out, 3, n_style)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(n_out, 1, 1))
        self.doubles = doubles

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """Map (B, n_in, H, W) to (B, n_out, H', W') with noise (B or 1, 1, H', W')."""
        if self.doubles:
            x = upsample_smoothly(x)
        x = self.convolution(x, w) + self.noise_strength * noise + self.bias
        return F.leaky_relu(x, SLOPE) * math.sqrt(2)


class ToRGB(nn.Module):
    """A modulated 1 x 1 convolution to pixels, not demodulated."""

    def __init__(self, n_in: int, n_out: int, n_style: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(n_in, n_out, 1, n_style, demodulates=False)
        self.bias = nn.Parameter(torch.zeros(n_out, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map (B, n_in, H, W) to (B, n_out, H, W)."""
        return self.convolution(x, w) + self.bias


class SynthesisNetwork(nn.Module):
    """Styles, one per layer, to images.

    Layers are numbered as the styles are: stage i has the convolutions 2i - 1 (which doubles) and
    2i, stage 0 only 0; the last style is that of the way out. Stages begin at `last_side`.
    """

    def __init__(self, shape: Shape, widths: Sequence[int], n_style: int) -> None:
        super().__init__()
        side = last_side(shape)
        self.constant = nn.Parameter(torch.randn(widths[0], side, side))
        pairs = [(widths[0], widths[0])]
        for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
            pairs += [(n_in, n_out), (n_out, n_out)]
        self.layers = nn.ModuleList(
            StyledLayer(n_in, n_out, n_style, doubles=i % 2 == 1)
            for i, (n_in, n_out) in enumerate(pairs)
        )
        self.to_rgb = ToRGB(widths[-1], shape[0], n_style)
        self.n_styles = 2 * len(widths)
        self.sides = [side << (i + 1) // 2 for i in range(len(pairs))]
        self.n_noise = sum(side**2 for side in self.sides)

    def forward(self, styles: Tensor, noise: Tensor) -> Tensor:
        """Return images (B, C, H, W) of styles (B, n_styles, n_style).

        The noise is (B, n_noise), or (1, n_noise) for the same in all images.
        """
        planes = noise.split([side**2 for side in self.sides], 1)
        x = self.constant.expand(len(styles), -1, -1, -1)
        for i, (layer, side) in enumerate(zip(self.layers, self.sides, strict=True)):
            x = layer(x, styles[:, i], planes[i].reshape(-1, 1, side, side))
        return self.to_rgb(x, styles[:, -1])


def upsample_smoothly(x: Tensor) -> Tensor:
    """Double height and width; bilinear is the filter 1 3 3 1 of the paper."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
