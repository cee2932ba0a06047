"""StyleGAN (`methods/stylegan.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.systems.progressive_gan import RegularizedGANConfig
from voxcycle.methods.stylegan import StyleGAN, StyleGANRegularizers
from voxcycle.models.coders import Shape
from voxcycle.models.dcgan import DCGANDiscriminator
from voxcycle.models.growing_networks import stage_widths
from voxcycle.models.style_networks import MappingNetwork, SynthesisNetwork


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
