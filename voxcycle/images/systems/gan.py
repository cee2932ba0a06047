"""The GAN of images, conditional where a factor is named."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.config import ImageConfig
from voxcycle.images.dataset import ImageData, gather, read_factor
from voxcycle.images.image_set import load_images
from voxcycle.images.systems.system import System
from voxcycle.methods.gan import GAN
from voxcycle.models.coders import Shape
from voxcycle.models.dcgan import DCGANDiscriminator, DCGANGenerator


class GANConfig(ImageConfig):
    """Of `methods/gan.py` for images."""

    batch_size: int = Field(64, ge=1, description="images per iteration")
    lr: float = Field(2e-4, gt=0, description="learning rate")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generator")
    width: int = Field(32, ge=1, description="channels of the layers next to the image")
    n_latent: int = Field(64, ge=1, description="width of the noise")
    r1: float = Field(1.0, ge=0, description="gamma, weight of the R1 penalty; 0 for none")
    r1_every: int = Field(8, ge=1, description="steps between updates with R1")
    condition: str | None = Field(
        None, description="factor of the labels that conditions both players; null for none"
    )


def build(config: GANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    n_classes = n_values[0] if config.condition is not None else 0
    return GAN(
        DCGANGenerator(shape, config.width, config.n_latent, n_classes),
        DCGANDiscriminator(shape, config.width, n_classes),
        config.n_latent,
        n_classes,
        lr=config.lr,
        r1=config.r1,
        r1_every=config.r1_every,
    )


def load(config: GANConfig) -> ImageData:
    """Read images with the factor that both players are told, if any."""
    images = load_images(config.data, config.size, config.n_channels)
    told = () if config.condition is None else (config.condition,)
    for name in told:
        read_factor(images, name, config)
    return gather(images.select(told), config)


SYSTEM = System(
    "a generator against a discriminator; condition=FACTOR conditions both on the class",
    GANConfig,
    build,
    load,
)
