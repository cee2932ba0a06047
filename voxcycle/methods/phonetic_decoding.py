"""Training of the phonetic decoder: a speaker's mels from what a recogniser hears of them."""

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.methods.phase import Memory, Phase


class ReadingBatch(NamedTuple):
    """Crops: inputs of the decoder as it takes them, and normalised mels (B, n_mels, F)."""

    content: Tensor
    excitation: Tensor
    condition: Tensor
    mel: Tensor


class PhoneticDecoding(nn.Module):
    """Mean absolute error of normalised log-mels.

    Args:
        decoder: see `PhoneticDecoder`.
        lr: learning rate.
    """

    def __init__(self, decoder: nn.Module, lr: float) -> None:
        super().__init__()
        self.decoder, self.lr = decoder, lr

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.AdamW, lr=self.lr, weight_decay=0.01)
        weights = {"mel": 1.0}
        return [Phase("decoder", self, self.losses, weights, optimizer, clip=5.0, is_averaged=True)]

    def losses(self, batch: ReadingBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the distance of the decoder's mels from the recordings'."""
        read = self.decoder(batch.content, batch.excitation, batch.condition)
        return {"mel": F.l1_loss(read, batch.mel)}
