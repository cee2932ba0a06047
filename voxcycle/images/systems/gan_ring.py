"""The GAN on eight clusters of points: the game that can be watched."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.config import SystemConfig
from voxcycle.images.dataset import ImageData
from voxcycle.images.ring import POINT, RingBatches
from voxcycle.images.systems.system import System
from voxcycle.methods.gan import GAN
from voxcycle.models.coders import Shape
from voxcycle.models.dcgan import PointDiscriminator, PointGenerator


class RingGANConfig(SystemConfig):
    """Of `methods/gan.py` for eight clusters of points."""

    batch_size: int = Field(256, ge=1, description="points per iteration")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generator")
    width: int = Field(128, ge=1, description="units of each hidden layer")
    n_latent: int = Field(16, ge=1, description="width of the noise")
    deviation: float = Field(0.1, gt=0, description="standard deviation of a cluster")
    saturates: bool = Field(
        False, description="minimise the min-max value rather than its non-saturating twin"
    )


def build(config: RingGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    return GAN(
        PointGenerator(config.width, config.n_latent),
        PointDiscriminator(config.width),
        config.n_latent,
        saturates=config.saturates,
        lr=config.lr,
    )


def load(config: RingGANConfig) -> ImageData:
    """Draw points of eight clusters."""
    return ImageData(RingBatches(config.batch_size, config.seed, config.deviation), POINT)


SYSTEM = System(
    "two players on eight clusters of points: the game that can be watched",
    RingGANConfig,
    build,
    load,
)
