"""The published networks of MaskCycleGAN-VC: a 2-1-2D generator and its PatchGAN; a baseline.

Kaneko et al., "MaskCycleGAN-VC: Learning non-parallel voice conversion with filling in frames"
(2021); the networks are those of CycleGAN-VC2 (Kaneko et al., 2019) with the mask as second input
channel. Kernels, widths and norms are those of the best-known public implementation
(GANtastic3/MaskCycleGAN-VC on GitHub). The code is our own.

Departures from that implementation, equivalent unless stated otherwise:

- Its discriminator builds a 1 x 10 layer of 10.5 M parameters that it never runs: not built here.
- Its discriminator ends in a sigmoid, behind a least-squares loss: omitted, which changes scores.
- Biases ahead of an instance norm, which cancels them, are not built.
- Values and gates of a gated convolution are the two halves of one convolution.
- For a number of frames that is no multiple of 4, see `MaskCycleGANGenerator`.

As there, the gate of an up-sampling block and of the discriminator is the value itself,
`x * sigmoid(x)` (SiLU), without a convolution of its own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def down_sampling(n_inputs: int, n_outputs: int) -> nn.Sequential:
    """Build a gated convolution, 5 x 5, that halves both axes."""
    return nn.Sequential(
        nn.Conv2d(n_inputs, 2 * n_outputs, 5, stride=2, padding=2, bias=False),
        nn.InstanceNorm2d(2 * n_outputs, affine=True),
        nn.GLU(dim=1),
    )


def up_sampling(n_inputs: int, n_outputs: int) -> nn.Sequential:
    """Build a convolution, 5 x 5, whose pixel shuffle doubles both axes."""
    return nn.Sequential(
        # This bias stays: the norm sees four channels as one and keeps their differences.
        nn.Conv2d(n_inputs, 4 * n_outputs, 5, padding=2),
        nn.PixelShuffle(2),
        nn.InstanceNorm2d(n_outputs, affine=True),
        nn.SiLU(),
    )


class GatedResidualBlock(nn.Module):
    """A residual block on (B, C, F): gated convolution to twice the width and convolution back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(width, 4 * width, 3, padding=1, bias=False),
            nn.InstanceNorm1d(4 * width, affine=True),
            nn.GLU(dim=1),
            nn.Conv1d(2 * width, width, 3, padding=1, bias=False),
            nn.InstanceNorm1d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, F) to (B, width, F)."""
        return x + self.layers(x)


class MaskCycleGANGenerator(nn.Module):
    """G: normalised source mels and their mask to target mels; 24,523,649 parameters.

    The public implementation has 14,080 more, biases without effect: 24,537,729. The call is that
    of `VoiceGenerator`, but F0 and speaker are ignored. The 1D trunk has `width` channels, the 2D
    ends half as many. ValueError where `n_mels` is not a multiple of 4.
    """

    def __init__(self, n_mels: int = 80, width: int = 256, n_blocks: int = 6) -> None:
        super().__init__()
        if n_mels % 4:
            raise ValueError(
                f"MaskCycleGANGenerator halves the mel bands twice: {n_mels} is no multiple of 4"
            )
        flat = width * (n_mels // 4)
        self.embed = nn.Sequential(nn.Conv2d(2, width, (5, 15), padding=(2, 7)), nn.GLU(dim=1))
        self.down = nn.Sequential(down_sampling(width // 2, width), down_sampling(width, width))
        self.flatten = nn.Sequential(
            nn.Conv1d(flat, width, 1, bias=False), nn.InstanceNorm1d(width, affine=True)
        )
        self.blocks = nn.Sequential(*(GatedResidualBlock(width) for _ in range(n_blocks)))
        self.unflatten = nn.Sequential(
            nn.Conv1d(width, flat, 1, bias=False), nn.InstanceNorm1d(flat, affine=True)
        )
        self.up = nn.Sequential(up_sampling(width, width), up_sampling(width, width // 2))
        self.out = nn.Conv2d(width // 2, 1, (5, 15), padding=(2, 7))

    def forward(
        self,
        source: Tensor,
        excitation: Tensor | None = None,
        mask: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Convert normalised mels.

        Two halvings need a multiple of 4 frames, and instance norm two frames after them: other
        inputs are extended on the right by their last frame and its mask, and the output is cut.

        Args:
            source: mels (B, n_mels, F), normalised by the source's statistics; the output is by the
                target's.
            excitation: ignored.
            mask: (B, 1, F), 1 = kept; the generator fills in frames at 0. None keeps all.
            condition: ignored.
        """
        mask = source.new_ones(source.shape[0], 1, source.shape[2]) if mask is None else mask
        planes = torch.stack([source * mask, mask.expand_as(source)], 1)  # (B, 2, n_mels, F)
        n_frames = source.shape[2]
        n_missing = max(8, -(-n_frames // 4) * 4) - n_frames
        if n_missing:
            planes = F.pad(planes, (0, n_missing, 0, 0), mode="replicate")
        x = self.down(self.embed(planes))  # (B, width, n_mels / 4, F / 4)
        n_bands = x.shape[2]
        x = self.flatten(x.flatten(1, 2))  # (B, width, F / 4)
        x = self.unflatten(self.blocks(x))  # (B, width * n_mels / 4, F / 4)
        x = self.up(x.unflatten(1, (-1, n_bands)))  # (B, width / 2, n_mels, F)
        return self.out(x)[:, 0, :, :n_frames]


class MaskCycleGANDiscriminator(nn.Module):
    """D: a PatchGAN with instance norms and no sigmoid (least squares); 6,201,089 parameters.

    The public implementation has 1,792 biases without effect more in the layers that it runs, and
    10,488,832 parameters in one that it does not. The first layer has `width` channels; each of the
    three that halve both axes doubles them.
    """

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.SiLU()]
        for n_inputs in (width, 2 * width, 4 * width):
            layers += [
                nn.Conv2d(n_inputs, 2 * n_inputs, 3, stride=2, padding=1, bias=False),
                nn.InstanceNorm2d(2 * n_inputs, affine=True),
                nn.SiLU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Conv2d(8 * width, 1, (1, 3), padding=(0, 1))

    def forward(self, planes: Tensor, condition: Tensor | None = None) -> Tensor:
        """Score (B, 1, n_mels, F); returns patch scores (B, 1, n_mels / 8, F / 8).

        The call is that of `PatchGAN`, but the condition is ignored.
        """
        return self.out(self.layers(planes))
