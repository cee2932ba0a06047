"""Training of the speaker encoder: classification of speakers with an additive margin.

Wang et al., "Additive margin softmax for face verification" (2018).
"""

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.methods.phase import Memory, Phase

SCALE, MARGIN = 30.0, 0.2


class SpeakerBatch(NamedTuple):
    """Log-mels (B, n_mels, F), frames of speech (B, F), and the speakers' numbers (B,)."""

    mel: Tensor
    speech: Tensor
    labels: Tensor


class SpeakerEmbedding(nn.Module):
    """Brings the embeddings of each speaker close to a vector of its own.

    Args:
        encoder: log-mels and speech to unit vectors (B, D).
        n_embedding: D.
        n_speakers: of the training.
        lr: learning rate.
    """

    def __init__(self, encoder: nn.Module, n_embedding: int, n_speakers: int, lr: float) -> None:
        super().__init__()
        self.encoder, self.lr = encoder, lr
        self.speakers = nn.Parameter(torch.randn(n_speakers, n_embedding))

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.AdamW, lr=self.lr, weight_decay=0.01)
        weights = {"margin": 1.0}
        return [Phase("speaker", self, self.losses, weights, optimizer, is_averaged=True)]

    def losses(self, batch: SpeakerBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the cross entropy of scaled cosines, the right one less the margin."""
        embeddings = self.encoder(batch.mel, batch.speech)
        return {"margin": margin_loss(embeddings, self.speakers, batch.labels)}


def margin_loss(embeddings: Tensor, speakers: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of unit vectors (B, D), speakers' vectors (N, D) and their numbers (B,)."""
    cosines = embeddings @ F.normalize(speakers, dim=1).T
    margin = MARGIN * F.one_hot(labels, len(speakers))
    return F.cross_entropy(SCALE * (cosines - margin), labels)
