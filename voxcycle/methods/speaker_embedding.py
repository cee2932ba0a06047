"""Training of the speaker encoder: two crops of a speaker find each other among a batch's speakers.

The angular prototypical loss of Chung et al., "In defence of metric learning for speaker
recognition" (2020), with one crop per prototype and in both directions.
"""

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.methods.phase import Memory, Phase

SCALE, MIN_SCALE = 10.0, 1.0  # of cosines


class SpeakerBatch(NamedTuple):
    """Two crops of each speaker: log-mels (B, 2, n_mels, F) and frames of speech (B, 2, F)."""

    mel: Tensor
    speech: Tensor


class SpeakerEmbedding(nn.Module):
    """Brings embeddings of one speaker together, and those of others apart.

    Args:
        encoder: log-mels (B, n_mels, F) and speech (B, F) to unit vectors (B, D).
        lr: learning rate.
    """

    def __init__(self, encoder: nn.Module, lr: float) -> None:
        super().__init__()
        self.encoder, self.lr = encoder, lr
        self.scale = nn.Parameter(torch.tensor(SCALE))

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.AdamW, lr=self.lr, weight_decay=0.01)
        weights = {"prototypical": 1.0}
        return [Phase("speaker", self, self.losses, weights, optimizer, is_averaged=True)]

    def losses(self, batch: SpeakerBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the loss of the first crops against the second ones."""
        found = self.encoder(batch.mel.flatten(0, 1), batch.speech.flatten(0, 1))
        one, two = found.unflatten(0, (-1, 2)).unbind(1)
        return {"prototypical": prototypical_loss(one, two, self.scale.clamp(min=MIN_SCALE))}


def prototypical_loss(one: Tensor, two: Tensor, scale: Tensor) -> Tensor:
    """Return the cross entropy of finding each speaker's other unit vector, (B, D) both."""
    logits = scale * one @ two.T
    labels = torch.arange(len(one), device=one.device)
    return 0.5 * (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels))
