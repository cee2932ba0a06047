"""The systems of the lecture, one file each: settings, networks, data."""

from voxcycle.images.systems import (
    autoencoder,
    classifier,
    cyclegan,
    debiasing_vae,
    gan,
    gan_ring,
    pix2pix,
    progressive_gan,
    stylegan,
    vae,
)
from voxcycle.images.systems.system import System

SYSTEMS: dict[str, System] = {
    "autoencoder": autoencoder.SYSTEM,
    "vae": vae.SYSTEM,
    "debiasing_vae": debiasing_vae.SYSTEM,
    "classifier": classifier.SYSTEM,
    "gan_ring": gan_ring.SYSTEM,
    "gan": gan.SYSTEM,
    "pix2pix": pix2pix.SYSTEM,
    "cyclegan": cyclegan.SYSTEM,
    "progressive_gan": progressive_gan.SYSTEM,
    "stylegan": stylegan.SYSTEM,
}


def find_system(name: str) -> System:
    """Return a system of the lecture; ValueError names the known ones."""
    if name not in SYSTEMS:
        raise ValueError(f"no method {name!r} in the lecture: there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
