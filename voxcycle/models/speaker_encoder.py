"""The speaker encoder: from some seconds of log-mels to a vector that tells who speaks."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.models.voice_generator import ConvNeXtBlock
from voxcycle.runtime.speaker_encoder import EXPANSION, KERNEL, MEL_MEAN, MEL_STD


class SpeakerEncoder(nn.Module):
    """ConvNeXt blocks, mean and deviation over the frames of speech, and a linear layer.

    Args:
        n_mels: bands.
        width: channels of the blocks.
        n_blocks: their number.
        n_embedding: size of the result.
    """

    def __init__(
        self, n_mels: int = 80, width: int = 128, n_blocks: int = 4, n_embedding: int = 64
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "n_mels": n_mels,
            "width": width,
            "n_blocks": n_blocks,
            "n_embedding": n_embedding,
        }
        self.embed = nn.Linear(n_mels, width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, KERNEL, EXPANSION) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(2 * width, n_embedding)

    def forward(self, mel: Tensor, speech: Tensor) -> Tensor:
        """Map log-mels (B, n_mels, F) and speech (B, F), 1 or 0, to unit vectors (B, D)."""
        x = self.embed(((mel - MEL_MEAN) / MEL_STD).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        weight = (speech / speech.sum(1, keepdim=True).clamp(min=1))[..., None]
        mean = (x * weight).sum(1)
        variance = ((x - mean[:, None]).square() * weight).sum(1)
        pooled = torch.cat([mean, variance.clamp(min=1e-5).sqrt()], 1)
        return F.normalize(self.out(pooled), dim=1)
