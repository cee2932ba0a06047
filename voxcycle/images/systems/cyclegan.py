"""CycleGAN on images: translation without pairs (`methods/cyclegan.py`)."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.systems.pix2pix import TranslationConfig, build_discriminator, load_translation
from voxcycle.images.systems.system import System
from voxcycle.methods.cyclegan import (
    CycleGAN,
    CycleGANNetworks,
    CycleGANRates,
    CycleGANWeights,
)
from voxcycle.models.coders import Shape
from voxcycle.models.image_translators import ResNetGenerator


class CycleGANConfig(TranslationConfig):
    """Settings of CycleGAN; the two domains may have different numbers of images."""

    n_blocks: int = Field(3, ge=1, description="residual blocks of the generators")
    cycle: float = Field(10.0, ge=0, description="weight of the cycle loss, a to b and back")
    identity: float = Field(
        5.0, ge=0, description="weight of the change that a generator makes to its target's images"
    )


def _build(config: CycleGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    networks = CycleGANNetworks(
        *(ResNetGenerator(shape[0], config.width, config.n_blocks) for _ in "ab"),
        *(build_discriminator(config, shape, shape[0]) for _ in "ab"),
    )
    weights = CycleGANWeights(
        adversarial_a=config.adversarial,
        adversarial_b=config.adversarial,
        cycle_a=config.cycle,
        cycle_b=config.cycle,
        identity_a=config.identity,
        identity_b=config.identity,
    )
    rates = CycleGANRates(config.lr, config.lr, config.betas, clip=None)
    return CycleGAN(networks, weights, rates, scores_identity=False)


SYSTEM = System(
    "translates between two domains without pairs: the core of the voices",
    CycleGANConfig,
    _build,
    load_translation,
)
