"""StyleGAN (`methods/stylegan.py`)."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.systems.progressive_gan import RegularizedGANConfig
from voxcycle.images.systems.system import System, load_set
from voxcycle.methods.stylegan import StyleGAN, StyleGANRegularizers
from voxcycle.models.coders import Shape
from voxcycle.models.dcgan import DCGANDiscriminator
from voxcycle.models.growing_networks import stage_widths
from voxcycle.models.style_networks import MappingNetwork, SynthesisNetwork


class StyleGANConfig(RegularizedGANConfig):
    """Settings of StyleGAN."""

    n_mapping: int = Field(2, ge=1, description="layers of the mapping network")
    discriminator_width: int = Field(
        32, ge=1, description="channels of the discriminator's first layer"
    )
    mixing: float = Field(0.9, ge=0, le=1, description="share of images with two latents' styles")
    path_length: float = Field(2.0, ge=0, description="weight of the path length penalty")
    path_length_every: int = Field(8, ge=1, description="steps between updates with it")


def _build(config: StyleGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    widths = stage_widths(shape, config.width, config.max_width)
    return StyleGAN(
        MappingNetwork(config.n_latent, config.n_mapping),
        SynthesisNetwork(shape, widths, config.n_latent),
        DCGANDiscriminator(shape, config.discriminator_width),
        n_latent=config.n_latent,
        lr=config.lr,
        regularizers=StyleGANRegularizers(
            r1=config.r1,
            r1_every=config.r1_every,
            path_length=config.path_length,
            path_length_every=config.path_length_every,
            mixing=config.mixing,
        ),
    )


SYSTEM = System(
    "a GAN of styles, one per layer: mixing, truncation, walks in W",
    StyleGANConfig,
    _build,
    load_set,
)
