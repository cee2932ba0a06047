"""The GAN of images (`methods/gan.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.systems.system import ImageConfig, ImageData
from voxcycle.methods.gan import GAN
from voxcycle.models.coders import Shape
from voxcycle.models.dcgan import DCGANDiscriminator, DCGANGenerator


class GANConfig(ImageConfig):
    """Settings of the GAN."""

    about: ClassVar[str] = (
        "a generator against a discriminator; with condition=FACTOR both see the class"
    )

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

    def load(self) -> ImageData:
        """Read the images with the one factor that is the condition, if there is one."""
        images = self.load_images()
        if self.condition is None:
            return self.gather(images.select(()))
        self.read_factor(images, self.condition)  # raises where an image has none
        return self.gather(images.select((self.condition,)))

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build a DCGAN."""
        n_classes = n_values[0] if self.condition is not None else 0
        return GAN(
            DCGANGenerator(shape, self.width, self.n_latent, n_classes),
            DCGANDiscriminator(shape, self.width, n_classes),
            self.n_latent,
            n_classes,
            lr=self.lr,
            r1=self.r1,
            r1_every=self.r1_every,
        )
