"""The generator of voice conversion: ConvNeXt blocks on what is said, or on normalised mels.

It is fully convolutional and stride-1 in time, so a file may be converted in chunks with
`VoiceGenerator.context_frames` of context. Its discriminators are in `models/patchgan.py`.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvNeXtBlock(nn.Module):
    """A residual block on (B, F, C): depthwise convolution over time, LayerNorm, two-layer MLP.

    Liu et al., "A ConvNet for the 2020s" (2022), in one dimension. LayerNorm runs per frame, so no
    statistic crosses time.
    """

    def __init__(self, width: int, kernel: int, expansion: int, n_condition: int = 0) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            width, width, (1, kernel), padding=(0, kernel // 2), groups=width
        )
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, width * expansion)
        self.contract = nn.Linear(width * expansion, width)
        self.condition = nn.Linear(n_condition, width, bias=False) if n_condition else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map (B, F, width), and a condition (B, n_condition) if any, to (B, F, width)."""
        # (B, F, C) is what channels-last means to a convolution over (B, C, 1, F): no copy is made.
        h = self.depthwise(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)
        h = self.norm(h)
        if self.condition is not None:
            h = h + self.condition(condition)[:, None]
        return x + self.contract(F.gelu(self.expand(h)))


class VoiceGenerator(nn.Module):
    """G: content of the source and the excitation of the output to target mels.

    Args:
        n_mels: bands of the output.
        width: channels of the trunk.
        kernel: frames that a block's convolution sees, odd.
        expansion: width of a block's MLP, in trunk widths.
        n_excitation: columns of the excitation; 0 builds a generator without F0 conditioning.
        n_condition: size of the speaker condition; 0 builds an unconditional generator.
        has_skip: whether the output is the source mel plus a correction. Trainings build generators
            without the skip; files of format 1 may have it.
        n_content: phonetic features of the source; 0 builds a generator of an older file, whose
            source is the normalised mel.
    """

    def __init__(
        self,
        n_mels: int = 80,
        width: int = 192,
        n_blocks: int = 6,
        kernel: int = 7,
        expansion: int = 3,
        n_excitation: int = 81,
        n_condition: int = 0,
        has_skip: bool = True,
        n_content: int = 0,
    ) -> None:
        super().__init__()
        self.has_skip = has_skip
        self.arguments: dict[str, Any] = {
            "n_mels": n_mels,
            "width": width,
            "n_blocks": n_blocks,
            "kernel": kernel,
            "expansion": expansion,
            "n_excitation": n_excitation,
            "n_condition": n_condition,
            "has_skip": has_skip,
            "n_content": n_content,
        }
        if has_skip and n_content:
            raise ValueError("a skip needs a source that is a mel")
        self.n_content = n_content
        self.n_excitation = n_excitation
        self.context_frames = n_blocks * (kernel // 2)
        n_source = n_content + 1 if n_content else n_mels  # features and the level
        self.content_norm = nn.LayerNorm(n_content) if n_content else None
        self.embed = nn.Linear(n_source + 1 + n_excitation, width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, kernel, expansion, n_condition) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, n_mels)
        nn.init.normal_(self.out.weight, std=0.01 if has_skip else width**-0.5)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        source: Tensor,
        excitation: Tensor,
        mask: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Convert what is said, or normalised mels.

        Args:
            source: (B, n_content + 1, F), features and level, see `voices.content`; or, without
                `n_content`, mels (B, n_mels, F) normalised by the source's statistics.
            excitation: (B, n_mels + 1, F) from `excitation_mel` at the target F0; ignored where
                `n_excitation` is 0.
            mask: (B, 1, F), 1 = kept; the generator fills in frames at 0. None keeps all.
            condition: (B, n_condition), the target speaker.

        Returns:
            (B, n_mels, F), normalised by the target's statistics.
        """
        mask = source.new_ones(source.shape[0], 1, source.shape[2]) if mask is None else mask
        seen = (source * mask).transpose(1, 2)  # (B, F, n)
        if self.content_norm is not None:
            features, level = seen.split([self.n_content, 1], 2)
            seen = torch.cat([self.content_norm(features), level], 2)
        inputs = [mask] + ([excitation] if self.n_excitation else [])
        x = self.embed(torch.cat([seen, torch.cat(inputs, 1).transpose(1, 2)], 2))
        for block in self.blocks:
            x = block(x, condition)
        x = self.out(self.norm(x))
        if self.has_skip:  # with which an untrained generator exchanges statistics only
            x = seen.add(x)
        return x.transpose(1, 2)
