"""The phonetic decoder: from what a recogniser hears to mels in the voice of a given speaker."""

from typing import Any

import torch
from torch import Tensor, nn

from voxcycle.models.voice_generator import ConvNeXtBlock


class PhoneticDecoder(nn.Module):
    """ConvNeXt blocks on phonetic features and the excitation of the output.

    Args:
        n_features: of the recogniser.
        n_condition: size of the speaker condition.
        n_mels: bands.
        width: channels of the blocks.
        n_blocks: their number.
    """

    def __init__(
        self,
        n_features: int,
        n_condition: int,
        n_mels: int = 80,
        width: int = 256,
        n_blocks: int = 6,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "n_features": n_features,
            "n_condition": n_condition,
            "n_mels": n_mels,
            "width": width,
            "n_blocks": n_blocks,
        }
        self.features_norm = nn.LayerNorm(n_features)
        self.embed = nn.Linear(n_features + 1 + n_mels + 1, width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, 7, 3, n_condition) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, n_mels)

    def forward(self, content: Tensor, excitation: Tensor, condition: Tensor) -> Tensor:
        """Read aloud what was heard.

        Args:
            content: (B, n_features + 1, F), phonetic features and, last, the level.
            excitation: (B, n_mels + 1, F) from `excitation_mel`, at the F0 of the output.
            condition: (B, n_condition), the speaker of the output.

        Returns:
            (B, n_mels, F), normalised by that speaker's statistics.
        """
        content = content.transpose(1, 2)
        features = self.features_norm(content[..., :-1])
        inputs = [features, content[..., -1:], excitation.transpose(1, 2)]
        x = self.embed(torch.cat(inputs, 2))
        for block in self.blocks:
            x = block(x, condition)
        return self.out(self.norm(x)).transpose(1, 2)
