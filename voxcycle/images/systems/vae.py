"""The VAE, and with beta above 1 the beta-VAE."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.dataset import load_set
from voxcycle.images.systems.autoencoder import AutoencoderConfig, build_coders
from voxcycle.images.systems.system import System
from voxcycle.methods.vae import VAE
from voxcycle.models.coders import Shape


class VAEConfig(AutoencoderConfig):
    """Of `methods/vae.py`."""

    beta: float = Field(1.0, ge=0, description="weight of the KL term; above 1 it is a beta-VAE")


def build(config: VAEConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    coders = build_coders(config, shape, 2 * config.n_latent)
    return VAE(*coders, config.n_latent, config.beta, config.lr)


SYSTEM = System(
    "an autoencoder with a prior: samples, walks; with beta above 1, separate factors",
    VAEConfig,
    build,
    load_set,
)
