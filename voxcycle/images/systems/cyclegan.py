"""CycleGAN on images: translation without pairs."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.config import TranslationConfig
from voxcycle.images.dataset import ImageData, load_translation
from voxcycle.images.systems.system import System, build_discriminator
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.models.coders import Shape
from voxcycle.models.image_translators import ResNetGenerator


class CycleGANConfig(TranslationConfig):
    """Of `methods/cyclegan.py` for images; the domains need not have anything in common."""

    n_blocks: int = Field(3, ge=1, description="residual blocks of the generators")
    cycle: float = Field(10.0, ge=0, description="weight of what is lost there and back")
    identity: float = Field(
        5.0, ge=0, description="weight of what a generator changes in images of its target"
    )


def build(config: CycleGANConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
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


def load(config: CycleGANConfig) -> ImageData:
    """Read both domains."""
    return load_translation(config, is_paired=False)


SYSTEM = System(
    "translates between two domains without pairs: the core of the voices",
    CycleGANConfig,
    build,
    load,
)
