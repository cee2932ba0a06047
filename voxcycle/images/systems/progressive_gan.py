"""The progressive GAN: grows from 4 x 4 pixels to the full size."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.config import RegularizedGANConfig
from voxcycle.images.dataset import load_set
from voxcycle.images.systems.system import System
from voxcycle.methods.progressive_gan import Growth, ProgressiveGAN
from voxcycle.models.coders import Shape
from voxcycle.models.growing_networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    stage_widths,
)


class ProgressiveGANConfig(RegularizedGANConfig):
    """Of `methods/progressive_gan.py`."""

    is_growing: bool = Field(True, description="begin at the smallest size; false: at full size")
    fade_steps: int = Field(400, ge=1, description="steps in which a stage fades in")
    stable_steps: int = Field(400, ge=1, description="steps of a stage before the next fades in")


def build(config: ProgressiveGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    widths = stage_widths(shape, config.width, config.max_width)
    last = len(widths) - 1
    first = 0 if config.is_growing else last
    return ProgressiveGAN(
        generator=ProgressiveGenerator(shape, widths, config.n_latent, first),
        discriminator=ProgressiveDiscriminator(shape, widths, first),
        growth=Growth(first, last, config.fade_steps, config.stable_steps),
        n_latent=config.n_latent,
        lr=config.lr,
        r1=config.r1,
        r1_every=config.r1_every,
    )


SYSTEM = System(
    "a GAN that grows from 4 x 4 pixels to the full size",
    ProgressiveGANConfig,
    build,
    load_set,
)
