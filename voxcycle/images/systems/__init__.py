"""The systems of the lecture: their settings, networks and data."""

from voxcycle.images.systems.classifier import ClassifierConfig
from voxcycle.images.systems.cyclegan import CycleGANConfig
from voxcycle.images.systems.debiasing_vae import DebiasingVAEConfig
from voxcycle.images.systems.gan import GANConfig
from voxcycle.images.systems.gan_ring import RingGANConfig
from voxcycle.images.systems.pix2pix import Pix2PixConfig
from voxcycle.images.systems.progressive_gan import ProgressiveGANConfig
from voxcycle.images.systems.stylegan import StyleGANConfig
from voxcycle.images.systems.system import SystemConfig
from voxcycle.images.systems.vae import AutoencoderConfig, VAEConfig

SYSTEMS: dict[str, type[SystemConfig]] = {
    "autoencoder": AutoencoderConfig,
    "vae": VAEConfig,
    "debiasing_vae": DebiasingVAEConfig,
    "classifier": ClassifierConfig,
    "gan_ring": RingGANConfig,
    "gan": GANConfig,
    "pix2pix": Pix2PixConfig,
    "cyclegan": CycleGANConfig,
    "progressive_gan": ProgressiveGANConfig,
    "stylegan": StyleGANConfig,
}


def find_system(name: str) -> type[SystemConfig]:
    """Return the settings of a system of the lecture; ValueError names the known ones."""
    if name not in SYSTEMS:
        raise ValueError(f"no method {name!r} in the lecture: there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
