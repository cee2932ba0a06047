"""The GAN of images, class-conditional with `condition` (`methods/gan.py`)."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.image_set import load_images
from voxcycle.images.systems.system import (
    ImageConfig,
    ImageData,
    System,
    gather,
    read_factor,
)
from voxcycle.methods.gan import GAN
from voxcycle.models.coders import Shape
from voxcycle.models.dcgan import DCGANDiscriminator, DCGANGenerator


class GANConfig(ImageConfig):
    """Settings of the GAN."""

    batch_size: int = Field(64, ge=1, description="images per iteration")
    lr: float = Field(2e-4, gt=0, description="learning rate")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generator")
    width: int = Field(32, ge=1, description="channels of the layers next to the image")
    n_latent: int = Field(64, ge=1, description="width of the noise")
    r1: float = Field(1.0, ge=0, description="gamma, weight of the R1 penalty; 0 for none")
    r1_every: int = Field(8, ge=1, description="steps between updates with R1")
    condition: str | None = Field(
        None, description="factor of the labels that conditions both networks; null for none"
    )


def _load(config: GANConfig) -> ImageData:
    images = load_images(config.data, config.size, config.n_channels)
    factors = () if config.condition is None else (config.condition,)
    for name in factors:
        read_factor(images, name, config)
    return gather(images.select(factors), config)


def _build(config: GANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
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


SYSTEM = System(
    "a generator against a discriminator; with condition=FACTOR both see the class",
    GANConfig,
    _build,
    _load,
)
