"""The progressive GAN (`methods/progressive_gan.py`), and settings it shares with StyleGAN."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.systems.system import ImageConfig, System, load_set
from voxcycle.methods.progressive_gan import Growth, ProgressiveGAN
from voxcycle.models.coders import Shape
from voxcycle.models.growing_networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    stage_widths,
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

    is_growing: bool = Field(True, description="begin at the smallest size; false: at full size")
    fade_steps: int = Field(400, ge=1, description="steps in which a stage fades in")
    stable_steps: int = Field(400, ge=1, description="steps of a stage before the next fades in")


def _build(config: ProgressiveGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    widths = stage_widths(shape, config.width, config.max_width)
    last = len(widths) - 1
    first = 0 if config.is_growing else last
    return ProgressiveGAN(
        ProgressiveGenerator(shape, widths, config.n_latent, first),
        ProgressiveDiscriminator(shape, widths, first),
        Growth(first, last, config.fade_steps, config.stable_steps),
        n_latent=config.n_latent,
        lr=config.lr,
        r1=config.r1,
        r1_every=config.r1_every,
    )


SYSTEM = System(
    "a GAN that grows from 4 x 4 pixels to the full size", ProgressiveGANConfig, _build, load_set
)
