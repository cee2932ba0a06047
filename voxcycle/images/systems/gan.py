"""GANs of images (`methods/gan.py`, `methods/progressive_gan.py`, `methods/stylegan.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.systems.system import ImageConfig, ImageData
from voxcycle.methods.gan import GAN
from voxcycle.methods.progressive_gan import Growth, ProgressiveGAN
from voxcycle.methods.stylegan import StyleGAN, StyleGANRegularizers
from voxcycle.models.coders import Shape
from voxcycle.models.dcgan import DCGANDiscriminator, DCGANGenerator
from voxcycle.models.growing_networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    stage_widths,
)
from voxcycle.models.style_networks import MappingNetwork, SynthesisNetwork


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


class RegularizedGANConfig(ImageConfig):
    """Settings that Progressive GAN and StyleGAN share."""

    batch_size: int = Field(
        16, ge=4, multiple_of=4, description="images per iteration; a multiple of four"
    )
    lr: float = Field(2e-3, gt=0, description="learning rate")
    width: int = Field(16, ge=1, description="channels at full size, doubled at each stage below")
    max_width: int = Field(64, ge=1, description="channels at most")
    n_latent: int = Field(64, ge=1, description="width of the latent z")
    r1: float = Field(0.2, ge=0, description="gamma, weight of the R1 penalty")
    r1_every: int = Field(16, ge=1, description="steps between updates with R1")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="of the averaged generator")


class ProgressiveGANConfig(RegularizedGANConfig):
    """Settings of Progressive GAN."""

    about: ClassVar[str] = "a GAN that grows from 4 x 4 pixels to the full size"

    is_growing: bool = Field(True, description="begin at the smallest size; false: at full size")
    fade_steps: int = Field(400, ge=1, description="steps in which a stage fades in")
    stable_steps: int = Field(400, ge=1, description="steps of a stage before the next fades in")

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build networks of every stage, at the first one that is trained."""
        widths = stage_widths(shape, self.width, self.max_width)
        last = len(widths) - 1
        first = 0 if self.is_growing else last
        return ProgressiveGAN(
            ProgressiveGenerator(shape, widths, self.n_latent, first),
            ProgressiveDiscriminator(shape, widths, first),
            Growth(first, last, self.fade_steps, self.stable_steps),
            n_latent=self.n_latent,
            lr=self.lr,
            r1=self.r1,
            r1_every=self.r1_every,
        )


class StyleGANConfig(RegularizedGANConfig):
    """Settings of StyleGAN."""

    about: ClassVar[str] = "a GAN of styles, one per layer: mixing, truncation, walks in W"

    n_mapping: int = Field(2, ge=1, description="layers of the mapping network")
    discriminator_width: int = Field(
        32, ge=1, description="channels of the discriminator's first layer"
    )
    mixing: float = Field(0.9, ge=0, le=1, description="share of images with two latents' styles")
    path_length: float = Field(2.0, ge=0, description="weight of the path length penalty")
    path_length_every: int = Field(8, ge=1, description="steps between updates with it")

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build a mapping, a synthesis and a DCGAN's discriminator."""
        widths = stage_widths(shape, self.width, self.max_width)
        return StyleGAN(
            MappingNetwork(self.n_latent, self.n_mapping),
            SynthesisNetwork(shape, widths, self.n_latent),
            DCGANDiscriminator(shape, self.discriminator_width),
            n_latent=self.n_latent,
            lr=self.lr,
            regularizers=StyleGANRegularizers(
                r1=self.r1,
                r1_every=self.r1_every,
                path_length=self.path_length,
                path_length_every=self.path_length_every,
                mixing=self.mixing,
            ),
        )
