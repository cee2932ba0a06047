"""CycleGAN of images (`methods/cyclegan.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.systems.pix2pix import TranslationConfig
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.models.coders import Shape
from voxcycle.models.image_translators import ResNetGenerator


class CycleGANConfig(TranslationConfig):
    """Settings of CycleGAN; the two domains may have different numbers of images."""

    about: ClassVar[str] = "translates between two domains without pairs: the core of the voices"

    n_blocks: int = Field(3, ge=1, description="residual blocks of the generators")
    cycle: float = Field(10.0, ge=0, description="weight of the cycle loss, a to b and back")
    identity: float = Field(
        5.0, ge=0, description="weight of the change that a generator makes to its target's images"
    )

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build two residual generators and two discriminators."""
        networks = CycleGANNetworks(
            *(ResNetGenerator(shape[0], self.width, self.n_blocks) for _ in "ab"),
            *(self.build_discriminator(shape, shape[0]) for _ in "ab"),
        )
        weights = CycleGANWeights(
            adversarial_a=self.adversarial,
            adversarial_b=self.adversarial,
            cycle_a=self.cycle,
            cycle_b=self.cycle,
            identity_a=self.identity,
            identity_b=self.identity,
        )
        rates = CycleGANRates(self.lr, self.lr, self.betas, clip=None)
        return CycleGAN(networks, weights, rates, scores_identity=False)
