"""Progressive GAN (`methods/progressive_gan.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.systems.system import ImageConfig
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
