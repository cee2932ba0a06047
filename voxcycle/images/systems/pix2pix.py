"""pix2pix: translation learned from pairs."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.config import TranslationConfig
from voxcycle.images.dataset import ImageData, load_translation
from voxcycle.images.systems.system import System, build_discriminator
from voxcycle.methods.pix2pix import Pix2Pix, Pix2PixWeights
from voxcycle.models.coders import Shape
from voxcycle.models.image_translators import UNet


class Pix2PixConfig(TranslationConfig):
    """Of `methods/pix2pix.py`; image i of trainA belongs to image i of trainB."""

    n_down: int = Field(4, ge=2, description="halvings in the U-Net; sides are multiples of 2 ** n")
    l1: float = Field(100.0, ge=0, description="weight of the distance to the true image")


def build(config: Pix2PixConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    return Pix2Pix(
        generator=UNet(shape[0], config.width, config.n_down),
        discriminator=build_discriminator(config, shape, 2 * shape[0]),
        weights=Pix2PixWeights(config.adversarial, config.l1),
        lr=config.lr,
        betas=config.betas,
    )


def load(config: Pix2PixConfig) -> ImageData:
    """Read both domains."""
    return load_translation(config, is_paired=True)


SYSTEM = System(
    "translates images, learned from pairs",
    Pix2PixConfig,
    build,
    load,
)
