"""The GAN on eight clusters of points in the plane, whose game can be watched (`methods/gan.py`).

Points in the plane are images of two channels and one pixel, so that methods for images take them.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn
from torch.utils.data import Dataset

from voxcycle.images.batches import step_seed
from voxcycle.images.systems.system import ImageData, SystemConfig
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.gan import GAN
from voxcycle.models.coders import Shape, build_decoder
from voxcycle.models.dcgan import PointDiscriminator

N_MODES = 8
RADIUS = 2.0
POINT = (2, 1, 1)  # the shape of such an image


def ring_centres() -> NDArray[np.float64]:
    """Return the clusters' centres (N_MODES, 2)."""
    angles = 2 * np.pi * np.arange(N_MODES) / N_MODES
    return RADIUS * np.stack([np.cos(angles), np.sin(angles)], 1)


class RingBatches(Dataset[ImageBatch]):
    """Endless batches of points (B, 2, 1, 1), the cluster of each as its label."""

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


class RingGANConfig(SystemConfig):
    """Settings of the GAN on a ring."""

    about: ClassVar[str] = "two players on eight clusters of points: the game that can be watched"

    batch_size: int = Field(256, ge=1, description="points per iteration")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generator")
    width: int = Field(128, ge=1, description="units of each hidden layer")
    n_latent: int = Field(16, ge=1, description="width of the noise")
    deviation: float = Field(0.1, gt=0, description="standard deviation of a cluster")
    saturates: bool = Field(
        False, description="use the min-max generator loss instead of the non-saturating one"
    )

    def load(self) -> ImageData:
        """Return points of the ring."""
        return ImageData(RingBatches(self.batch_size, self.seed, self.deviation), POINT)

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build networks of points."""
        return GAN(
            build_decoder("mlp", POINT, self.width, n_latent=self.n_latent, n_hidden=2),
            PointDiscriminator(self.width),
            self.n_latent,
            saturates=self.saturates,
            lr=self.lr,
        )
