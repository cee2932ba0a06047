"""Eight clusters on a circle: data on which a GAN can be watched.

Points in the plane are images of two channels and one pixel, so that methods for images take them.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from voxcycle.images.image_set import step_seed
from voxcycle.methods.batches import ImageBatch

N_MODES = 8
RADIUS = 2.0
POINT = (2, 1, 1)  # the shape of such an image


def ring_centres() -> NDArray[np.float64]:
    """Return the clusters' centres (N_MODES, 2)."""
    angles = 2 * np.pi * np.arange(N_MODES) / N_MODES
    return RADIUS * np.stack([np.cos(angles), np.sin(angles)], 1)


class RingBatches(Dataset[ImageBatch]):
    """Endless batches of points (B, 2, 1, 1), the cluster of each as its label.

    Args:
        batch_size: points per batch.
        seed: of the draw.
        deviation: standard deviation of the clusters.
    """

    def __init__(self, batch_size: int, seed: int, deviation: float) -> None:
        self.batch_size = batch_size
        self.seed = seed
        self.deviation = deviation

    def __getitem__(self, index: int) -> ImageBatch:
        rng = np.random.default_rng([self.seed, index])
        modes = rng.integers(N_MODES, size=self.batch_size)
        points = ring_centres()[modes] + self.deviation * rng.standard_normal((len(modes), 2))
        return ImageBatch(
            torch.from_numpy(points).float()[..., None, None],  # (B, 2, 1, 1)
            torch.from_numpy(modes)[:, None],
            index,
            step_seed(self.seed, index),
        )
