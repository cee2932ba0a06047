"""Classification of every factor of an image at once: it evaluates the lecture's other systems.

Plain cross entropy. Half of each batch is overlaid with noise, and the classifier learns as one
more factor whether it is: features that never saw noise would not notice it in generated images.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.phase import Memory, Phase

NOISE = 0.3  # largest standard deviation, images in [-1, 1]


class ClassifierTraining(nn.Module):
    """Minimises the mean cross entropy over factors.

    The network maps images to the logits of every factor; the last one (2 values) is noise.
    """

    def __init__(self, network: nn.Module, lr: float = 1e-3) -> None:
        super().__init__()
        self.network, self.lr = network, lr

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.Adam, lr=self.lr)
        return [Phase("classifier", self, self.losses, {"cross_entropy": 1.0}, optimizer=optimizer)]

    def losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the mean cross entropy; every second image is noisy."""
        images = batch.images
        is_noisy = torch.arange(len(images), device=images.device) % 2
        strength = NOISE * batch.normal(len(images), 1, 1, 1).abs().clamp(0.1, 1)
        noisy = images + is_noisy[:, None, None, None] * strength * batch.normal(*images.shape)
        labels = torch.cat([batch.labels, is_noisy[:, None]], 1)
        logits = self.network(noisy)
        entropies = [F.cross_entropy(x, y) for x, y in zip(logits, labels.T, strict=True)]
        return {"cross_entropy": torch.stack(entropies).mean()}

    def predict(self, images: Tensor) -> Tensor:
        """Return the most likely value of every factor but noise, (B, n_factors)."""
        return torch.stack([x.argmax(1) for x in self.network(images)[:-1]], 1)
