"""PatchGANs: discriminators of image and mel patches, and of whole spectra over time."""

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Network = TypeVar("Network", "PatchGAN", "PatchGAN1d")


def _score(network: Network, x: Tensor, condition: Tensor | None) -> Tensor:
    for i, layer in enumerate(network.layers):
        x = layer(x)
        if network.conditions:
            added = network.conditions[i](condition)
            x = x + added.reshape(*added.shape, *[1] * (x.ndim - 2))
        x = F.leaky_relu(x, 0.2, inplace=True)
    return network.out(x)


@torch.no_grad()
def _bind(network: Network, condition: Tensor) -> Network:
    """Return an unconditional copy: what the condition adds to a layer is added to its bias."""
    bound = copy.deepcopy(network)
    for layer, linear in zip(bound.layers, bound.conditions, strict=bool(bound.conditions)):
        layer.bias += linear(condition)
    bound.conditions = nn.ModuleList()
    return bound


class PatchGAN(nn.Module):
    """D: scores overlapping patches by strided 2D convolutions; no sigmoid (least squares).

    Isola et al. (2017), of mels and of images, without their normalisation. With `n_condition`, a
    linear map of the condition is added to the channels of every hidden layer.

    Args:
        n_channels: input planes (1 for a mel, 2 with its excitation, 3 for an image, 6 for a pair).
        widths: channels of the hidden layers; all but the last halve both axes.
        n_condition: size of the speaker condition; 0 for none.
    """

    arguments: dict[str, Any]

    def __init__(
        self,
        n_channels: int = 1,
        widths: tuple[int, ...] = (32, 64, 128, 128),
        n_condition: int = 0,
    ) -> None:
        super().__init__()
        sizes = (n_channels, *widths)
        self.layers = nn.ModuleList(
            nn.Conv2d(sizes[i], sizes[i + 1], 4, stride=2, padding=1)
            if i < len(widths) - 1
            else nn.Conv2d(sizes[i], sizes[i + 1], 3, padding=1)
            for i in range(len(widths))
        )
        self.conditions = nn.ModuleList(
            nn.Linear(n_condition, width, bias=False) for width in widths if n_condition
        )
        self.out = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, planes: Tensor, condition: Tensor | None = None) -> Tensor:
        """Score (B, n_channels, H, W); returns patch scores (B, 1, H / 8, W / 8) for four widths.

        A mel is n_mels high and F wide. Every layer but the last halves both axes.
        """
        return _score(self, planes, condition)

    def bind(self, condition: Tensor) -> "PatchGAN":
        """Return an unconditional copy with the scores of this network under (n_condition,)."""
        return _bind(self, condition)


class PatchGAN1d(nn.Module):
    """D: scores whole spectra by convolutions over time; no sigmoid (least squares).

    `PatchGAN` shares its weights along frequency and hardly knows *where* a formant is; here every
    mel band is a channel of its own.

    Args:
        n_bands: mel bands times input planes.
        width: channels of the three hidden layers; two of them halve the frames.
    """

    def __init__(self, n_bands: int, width: int = 256, n_condition: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(n_inputs, width, 5, stride=stride, padding=2)
            for n_inputs, stride in ((n_bands, 1), (width, 2), (width, 2))
        )
        self.conditions = nn.ModuleList(
            nn.Linear(n_condition, width, bias=False) for _ in self.layers if n_condition
        )
        self.out = nn.Conv1d(width, 1, 3, padding=1)

    def forward(self, planes: Tensor, condition: Tensor | None = None) -> Tensor:
        """Score (B, n_channels, n_mels, F); returns scores (B, 1, F / 4)."""
        return _score(self, planes.flatten(1, 2), condition)  # of (B, n_channels * n_mels, F)

    def bind(self, condition: Tensor) -> "PatchGAN1d":
        """Return an unconditional copy with the scores of this network under (n_condition,)."""
        return _bind(self, condition)


class PatchGANPair(nn.Module):
    """D: a `PatchGAN` and a `PatchGAN1d` side by side, whose mean scores count equally."""

    arguments: dict[str, Any]

    def __init__(self, patches: PatchGAN, spectra: PatchGAN1d) -> None:
        super().__init__()
        self.patches, self.spectra = patches, spectra

    def forward(self, planes: Tensor, condition: Tensor | None = None) -> Tensor:
        """Score (B, n_channels, n_mels, F), n_mels a multiple of 16; returns scores (B, n)."""
        of_patches = self.patches(planes, condition).flatten(1)
        of_spectra = self.spectra(planes, condition).flatten(1)
        n_each = of_patches.shape[1] // of_spectra.shape[1]
        return torch.cat([of_patches, of_spectra.repeat(1, n_each)], 1)

    def bind(self, condition: Tensor) -> "PatchGANPair":
        """Return an unconditional copy with the scores of this network under (n_condition,)."""
        return PatchGANPair(self.patches.bind(condition), self.spectra.bind(condition))


def build_mel_discriminator(
    n_planes: int, n_mels: int, widths: Sequence[int], spectrum_width: int, n_condition: int = 0
) -> PatchGAN | PatchGANPair:
    """Build D of mels; its `arguments` are those of this call, for files.

    One plane is the mel, two are the mel and its excitation; a `spectrum_width` of 0 builds no
    `PatchGAN1d`.
    """
    patches = PatchGAN(n_planes, tuple(widths), n_condition)
    network: PatchGAN | PatchGANPair = patches
    if spectrum_width:
        spectra = PatchGAN1d(n_planes * n_mels, spectrum_width, n_condition)
        network = PatchGANPair(patches, spectra)
    network.arguments = {
        "n_planes": n_planes,
        "n_mels": n_mels,
        "widths": list(widths),
        "spectrum_width": spectrum_width,
        "n_condition": n_condition,
    }
    return network
